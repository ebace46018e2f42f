//! Several operations as one: each sees what those before it do, and all are done or none.
//!
//! Source: `PrepRequestProcessor`, case `multi`; storage.md §4.2.

use alloc::vec::Vec;

use proto::{Code, Encode, ErrorTxn, MultiItem, TxnKind, wire};

use super::kind_of;
use super::view::View;

const ERROR_BYTES: i32 = 4;

impl View<'_> {
    /// Appends the list of sub-transactions.
    ///
    /// If an item fails, those before it stay as they are, it becomes its error and those behind it
    /// `RuntimeInconsistency`: a list with an error in it does nothing when it is applied, and is no error here.
    ///
    /// # Errors
    /// `MarshallingError` where Java fails halfway over a null.
    pub(super) fn multi(&mut self, items: Vec<MultiItem<'_>>, out: &mut Vec<u8>) -> Result<(), Code> {
        // Java collects the paths of all items before it looks at the first.
        if items.iter().any(has_null_path) {
            return Err(Code::MarshallingError);
        }
        wire::length_of(items.len()).encode(out);
        self.pending.begin();
        let mut failed = false;
        for item in items {
            if failed {
                put_error(Code::RuntimeInconsistency, out);
            } else if let Err(code) = self.sub(item, out) {
                self.pending.take_back();
                if code == Code::MarshallingError {
                    return Err(code);
                }
                put_error(code, out);
                failed = true;
            }
        }
        self.pending.keep();
        Ok(())
    }

    /// Appends one sub-transaction: its kind, the length of its body, its body. Nothing if it fails.
    fn sub(&mut self, item: MultiItem<'_>, out: &mut Vec<u8>) -> Result<(), Code> {
        let start = out.len();
        kind_of(&item).number().encode(out);
        let mut result = Ok(());
        wire::put_frame(out, |out| result = self.item(item, out));
        if result.is_err() {
            out.truncate(start);
        }
        result
    }
}

fn put_error(code: Code, out: &mut Vec<u8>) {
    TxnKind::Error.number().encode(out);
    ERROR_BYTES.encode(out);
    ErrorTxn::new(code).encode(out);
}

fn has_null_path(item: &MultiItem<'_>) -> bool {
    match item {
        MultiItem::Create { request, .. } => request.path.is_none(),
        MultiItem::CreateTtl(request) => request.path.is_none(),
        MultiItem::Delete(request) => request.path.is_none(),
        MultiItem::SetData(request) => request.path.is_none(),
        MultiItem::Check(request) => request.path.is_none(),
        MultiItem::GetData(request) | MultiItem::GetChildren(request) => request.path.is_none(),
    }
}

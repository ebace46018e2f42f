//! What came back, and what it says.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;

use proto::{
    AclList, AclReply, Children2Reply, Code, CreateReply, DataReply, Decode, EphemeralsReply, MultiResult,
    Reader, Stat, StatReply, Text, TotalReply, WhoAmIReply, Zxid, decode_multi_results,
};

use crate::Failure;

/// A successful answer. What its methods say holds for the answer to the request they name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// The state it shows.
    pub zxid: Zxid,
    /// The record of the request's kind.
    pub body: Vec<u8>,
}

impl Reply {
    fn record<'a, T: Decode<'a>>(&'a self) -> Result<T, Failure> {
        Ok(Reader::new(&self.body).take()?)
    }

    /// `create`: the path with its number.
    ///
    /// # Errors
    /// [`Failure::Garbled`], as for all others here.
    pub fn path(&self) -> Result<String, Failure> {
        self.record::<CreateReply<'_>>()?.path.map(Cow::into_owned).ok_or(Failure::Garbled)
    }

    /// `getData`, `reconfig`.
    ///
    /// # Errors
    /// [`Failure::Garbled`].
    pub fn data(&self) -> Result<(Option<Vec<u8>>, Stat), Failure> {
        let reply: DataReply<'_> = self.record()?;
        Ok((reply.data.map(<[u8]>::to_vec), reply.stat))
    }

    /// `exists`, `setData`, `setACL`.
    ///
    /// # Errors
    /// [`Failure::Garbled`].
    pub fn stat(&self) -> Result<Stat, Failure> {
        Ok(self.record::<StatReply>()?.stat)
    }

    /// `getACL`.
    ///
    /// # Errors
    /// [`Failure::Garbled`].
    pub fn acl(&self) -> Result<(AclList, Stat), Failure> {
        let reply: AclReply<'_> = self.record()?;
        let acl = reply.acl.unwrap_or_default().into_iter().map(proto::Acl::into_owned).collect();
        Ok((acl, reply.stat))
    }

    /// `getChildren2`: the names in no order.
    ///
    /// # Errors
    /// [`Failure::Garbled`].
    pub fn children(&self) -> Result<(Vec<String>, Stat), Failure> {
        let reply: Children2Reply<'_> = self.record()?;
        Ok((texts(reply.children)?, reply.stat))
    }

    /// `getEphemerals`: the paths in no order, as the server knows them.
    ///
    /// # Errors
    /// [`Failure::Garbled`].
    pub fn ephemerals(&self) -> Result<Vec<String>, Failure> {
        texts(self.record::<EphemeralsReply<'_>>()?.ephemerals)
    }

    /// `getAllChildrenNumber`.
    ///
    /// # Errors
    /// [`Failure::Garbled`].
    pub fn total(&self) -> Result<i32, Failure> {
        Ok(self.record::<TotalReply>()?.total)
    }

    /// `whoAmI`: scheme and user of each identity.
    ///
    /// # Errors
    /// [`Failure::Garbled`].
    pub fn identities(&self) -> Result<Vec<(String, String)>, Failure> {
        let own = |text: Text<'_>| text.map(Cow::into_owned).unwrap_or_default();
        let clients = self.record::<WhoAmIReply<'_>>()?.clients.unwrap_or_default();
        Ok(clients.into_iter().map(|client| (own(client.scheme), own(client.user))).collect())
    }

    /// `multi`, of which all items were carried out.
    ///
    /// # Errors
    /// [`Failure::Garbled`], or what the first item that failed by itself failed with.
    pub fn multi(&self) -> Result<(), Failure> {
        let failed = decode_multi_results(&self.body)?.into_iter().find_map(|result| match result {
            MultiResult::Failed(code) if code != Code::Ok && code != Code::RuntimeInconsistency => Some(code),
            MultiResult::Failed(_)
            | MultiResult::Created { .. }
            | MultiResult::Created2 { .. }
            | MultiResult::Deleted
            | MultiResult::DataSet(_)
            | MultiResult::Checked => None,
        });
        failed.map_or(Ok(()), |code| Err(Failure::Refused(code)))
    }
}

fn texts(list: Option<Vec<Text<'_>>>) -> Result<Vec<String>, Failure> {
    let own = |text: Text<'_>| text.map(|text| text.as_ref().to_owned()).ok_or(Failure::Garbled);
    list.unwrap_or_default().into_iter().map(own).collect()
}

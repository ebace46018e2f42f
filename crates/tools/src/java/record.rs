//! Records as text. Source: `ToStringOutputArchive`, and `AbstractCollection#toString` for lists.

use proto::{Acl, Text};

/// Appends a string of a record: `'` and the text with what separates fields escaped; nothing for null.
pub(crate) fn put_text(out: &mut String, text: &Text<'_>) {
    let Some(text) = text else { return };
    out.push('\'');
    for sign in text.chars() {
        match sign {
            '\0' => out.push_str("%00"),
            '\n' => out.push_str("%0A"),
            '\r' => out.push_str("%0D"),
            ',' => out.push_str("%2C"),
            '}' => out.push_str("%7D"),
            '%' => out.push_str("%25"),
            _ => out.push(sign),
        }
    }
}

/// Appends an entry of an access control list: `31,s{'world,'anyone}`.
pub(crate) fn put_acl(out: &mut String, acl: &Acl<'_>) {
    out.push_str(&acl.perms.to_string());
    out.push_str(",s{");
    put_text(out, &acl.id.scheme);
    out.push(',');
    put_text(out, &acl.id.id);
    out.push('}');
}

/// Appends a whole list as Java prints a list of records, each of which ends its line.
pub(crate) fn put_acl_list(out: &mut String, list: Option<&[Acl<'_>]>) {
    let Some(list) = list else { return out.push_str("null") };
    out.push('[');
    for (number, acl) in list.iter().enumerate() {
        if number > 0 {
            out.push_str(", ");
        }
        put_acl(out, acl);
        out.push('\n');
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Id;

    #[test]
    fn lists_print_as_java_prints_them() {
        let mut out = String::new();
        let other = Acl { perms: 1, id: Id { scheme: Some("a,b".into()), id: None } };
        put_acl_list(&mut out, Some(&[Acl::open(), other]));
        assert_eq!(out, "[31,s{'world,'anyone}\n, 1,s{'a%2Cb,}\n]");
        out.clear();
        put_acl_list(&mut out, None);
        assert_eq!(out, "null");
    }
}

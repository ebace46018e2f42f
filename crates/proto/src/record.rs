//! The macro by which a record is defined once, for both directions.

/// Defines a record: a struct whose fields stand in wire order, with its [`Decode`](crate::Decode) and
/// [`Encode`](crate::Encode).
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
        impl $crate::Decode<'_> for $name {
            fn decode(reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $($field: <$type as $crate::Decode<'_>>::decode(reader)?,)* })
            }
        }
        impl $crate::Encode for $name {
            fn encode(&self, out: &mut alloc::vec::Vec<u8>) {
                $($crate::Encode::encode(&self.$field, out);)*
            }
        }
    };
    ($(#[$meta:meta])* pub struct $name:ident<$lt:lifetime> {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        pub struct $name<$lt> { $($(#[$field_meta])* pub $field: $type,)* }
        impl<$lt> $crate::Decode<$lt> for $name<$lt> {
            fn decode(reader: &mut $crate::Reader<$lt>) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $($field: <$type as $crate::Decode<$lt>>::decode(reader)?,)* })
            }
        }
        impl $crate::Encode for $name<'_> {
            fn encode(&self, out: &mut alloc::vec::Vec<u8>) {
                $($crate::Encode::encode(&self.$field, out);)*
            }
        }
    };
}
pub(crate) use record;

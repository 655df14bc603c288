//! How message structs map to bytes: the [`Wire`] trait of field types, and the `message!` table macro.

use super::error::Result;
use super::{Reader, Uuid, Writer};

/// Elements reserved at once for an array, whatever its count says; more are added as they are really decoded.
const MAX_RESERVE: usize = 1024;

/// A type that can be a field. `flexible` is a property of message and version, so it is passed along.
pub(crate) trait Wire<'a>: Sized {
    /// The fewest bytes a value takes, to judge array counts by.
    fn min_size(version: i16, flexible: bool) -> usize;
    fn read(r: &mut Reader<'a>, version: i16, flexible: bool) -> Result<Self>;
    fn write(&self, w: &mut Writer, version: i16, flexible: bool);
}

macro_rules! fixed_wire {
    ($($ty:ty, $method:ident, $size:literal;)*) => {$(
        impl<'a> Wire<'a> for $ty {
            fn min_size(_: i16, _: bool) -> usize {
                $size
            }
            #[inline]
            fn read(r: &mut Reader<'a>, _: i16, _: bool) -> Result<Self> {
                r.$method()
            }
            #[inline]
            fn write(&self, w: &mut Writer, _: i16, _: bool) {
                w.$method(*self)
            }
        }
    )*};
}

fixed_wire! {
    bool, bool, 1;
    i8, i8, 1;
    i16, i16, 2;
    i32, i32, 4;
    i64, i64, 8;
}

impl<'a> Wire<'a> for Uuid {
    fn min_size(_: i16, _: bool) -> usize {
        16
    }
    fn read(r: &mut Reader<'a>, _: i16, _: bool) -> Result<Self> {
        r.uuid()
    }
    fn write(&self, w: &mut Writer, _: i16, _: bool) {
        w.uuid(self)
    }
}

fn string_min(flexible: bool) -> usize {
    if flexible {
        1
    } else {
        2
    }
}

fn long_min(flexible: bool) -> usize {
    if flexible {
        1
    } else {
        4
    }
}

macro_rules! prefixed_wire {
    ($($ty:ty, $min:ident, |$r:ident, $f:ident| $read:expr, |$s:ident, $w:ident| $write:expr;)*) => {$(
        impl<'a> Wire<'a> for $ty {
            fn min_size(_: i16, flexible: bool) -> usize {
                $min(flexible)
            }
            #[inline]
            fn read($r: &mut Reader<'a>, _: i16, $f: bool) -> Result<Self> {
                $read
            }
            #[inline]
            fn write(&self, $w: &mut Writer, _: i16, $f: bool) {
                let $s = self;
                $write
            }
        }
    )*};
}

prefixed_wire! {
    &'a str, string_min, |r, f| r.str(f), |s, w| w.str(s, f);
    Option<&'a str>, string_min, |r, f| r.nullable_str(f), |s, w| w.nullable_str(*s, f);
    String, string_min, |r, f| r.str(f).map(str::to_owned), |s, w| w.str(s, f);
    Option<String>, string_min, |r, f| Ok(r.nullable_str(f)?.map(str::to_owned)), |s, w| w.nullable_str(s.as_deref(), f);
    &'a [u8], long_min, |r, f| r.bytes(f), |s, w| w.bytes(s, f);
    Option<&'a [u8]>, long_min, |r, f| r.nullable_bytes(f), |s, w| w.nullable_bytes(*s, f);
}

fn read_elements<'a, T: Wire<'a>>(r: &mut Reader<'a>, version: i16, flexible: bool, n: usize) -> Result<Vec<T>> {
    let mut out = Vec::with_capacity(n.min(MAX_RESERVE));
    for _ in 0..n {
        out.push(T::read(r, version, flexible)?);
    }
    Ok(out)
}

impl<'a, T: Wire<'a>> Wire<'a> for Vec<T> {
    fn min_size(_: i16, flexible: bool) -> usize {
        long_min(flexible)
    }
    fn read(r: &mut Reader<'a>, version: i16, flexible: bool) -> Result<Self> {
        let n = r.array_len(flexible, T::min_size(version, flexible))?;
        read_elements(r, version, flexible, n)
    }
    fn write(&self, w: &mut Writer, version: i16, flexible: bool) {
        w.array_len(self.len(), flexible);
        for e in self {
            e.write(w, version, flexible);
        }
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<Vec<T>> {
    fn min_size(_: i16, flexible: bool) -> usize {
        long_min(flexible)
    }
    fn read(r: &mut Reader<'a>, version: i16, flexible: bool) -> Result<Self> {
        match r.nullable_array_len(flexible, T::min_size(version, flexible))? {
            None => Ok(None),
            Some(n) => read_elements(r, version, flexible, n).map(Some),
        }
    }
    fn write(&self, w: &mut Writer, version: i16, flexible: bool) {
        match self {
            Some(v) => v.write(w, version, flexible),
            None => w.nullable_len(None, flexible),
        }
    }
}

/// Reads an optional field in a version that may not allow null.
pub(crate) fn read_nullable<'a, T>(
    r: &mut Reader<'a>,
    version: i16,
    flexible: bool,
    null_from: i16,
) -> Result<Option<T>>
where
    Option<T>: Wire<'a>,
{
    let v = <Option<T>>::read(r, version, flexible)?;
    if v.is_none() && version < null_from {
        return Err(r.err("null where none is allowed"));
    }
    Ok(v)
}

/// Writes an optional field; null becomes empty in a version that has no null.
pub(crate) fn write_nullable<'a, T>(v: &Option<T>, w: &mut Writer, version: i16, flexible: bool, null_from: i16)
where
    T: Wire<'a> + Default,
    Option<T>: Wire<'a>,
{
    if v.is_none() && version < null_from {
        T::default().write(w, version, flexible);
    } else {
        v.write(w, version, flexible);
    }
}

/// Defines message structs from tables like those of Kafka's own message definitions. A row is
///
/// ```text
/// name: Type = default, versions [, null first_nullable_version] [, tag number];
/// ```
///
/// Fields go over the wire in the order of the rows; tagged ones go into the tagged section, and only when they differ
/// from their default. A field that a version lacks is not written, and decodes as its default. `for Key` makes a
/// struct a whole message, with `encode` and `decode`.
macro_rules! message {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident $(<$lt:lifetime>)? $(for $key:ident)? {
            $(
                $(#[$fmeta:meta])*
                $field:ident : $ty:ty = $default:expr, $versions:expr $(, null $null:literal)? $(, tag $tag:literal)?;
            )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name $(<$lt>)? {
            $($(#[$fmeta])* pub $field: $ty,)*
        }

        impl $(<$lt>)? Default for $name $(<$lt>)? {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl<'a> $crate::protocol::wire::Wire<'a> for $name $(<$lt>)? {
            fn min_size(version: i16, flexible: bool) -> usize {
                #[allow(unused_mut)]
                let mut n = flexible as usize;
                $(message!(@min n, version, flexible, $ty, $versions $(, tag $tag)?);)*
                n
            }

            fn read(
                r: &mut $crate::protocol::Reader<'a>,
                version: i16,
                flexible: bool,
            ) -> $crate::protocol::error::Result<Self> {
                let mut m = Self::default();
                $(message!(@read m, r, version, flexible, $field, $versions $(, null $null)? $(, tag $tag)?);)*
                if flexible {
                    r.tagged_fields(|_tag, _r| {
                        $(message!(@read_tag m, _tag, _r, version, $field, $versions $(, null $null)? $(, tag $tag)?);)*
                        Ok(false)
                    })?;
                }
                Ok(m)
            }

            fn write(&self, w: &mut $crate::protocol::Writer, version: i16, flexible: bool) {
                $(message!(@write self, w, version, flexible, $field, $versions $(, null $null)? $(, tag $tag)?);)*
                if flexible {
                    #[allow(unused_mut)]
                    let mut tags = 0;
                    $(message!(@count self, tags, version, $field, $default, $versions $(, tag $tag)?);)*
                    w.uvarint(tags);
                    $(message!(@write_tag self, w, version, $field, $default, $versions $(, tag $tag)?);)*
                }
            }
        }

        #[cfg(test)]
        impl<'a> $crate::protocol::sample::Sample for $name $(<$lt>)? {
            fn sample(g: &mut $crate::protocol::sample::Gen, version: i16) -> Self {
                let mut m = Self::default();
                $(message!(@sample m, g, version, $field, $versions $(, null $null)? $(, tag $tag)?);)*
                m
            }
        }

        message!(@message $name [$($lt)?] $($key)?);
    )*};

    (@message $name:ident [$($lt:lifetime)?]) => {};
    (@message $name:ident [$($lt:lifetime)?] $key:ident) => {
        impl<'a> $name $(<$lt>)? {
            /// Appends the message in `version`, which must be one the API table holds.
            pub fn encode(&self, w: &mut $crate::protocol::Writer, version: i16) {
                let flexible = $crate::protocol::ApiKey::$key.is_flexible(version);
                $crate::protocol::wire::Wire::write(self, w, version, flexible);
            }

            /// Reads the message in `version`, which must be one the API table holds.
            ///
            /// # Errors
            /// When the bytes are too few or malformed. Bytes left over are the caller's to judge ([`Reader::finish`]).
            ///
            /// [`Reader::finish`]: crate::protocol::Reader::finish
            pub fn decode(
                r: &mut $crate::protocol::Reader<'a>,
                version: i16,
            ) -> $crate::protocol::error::Result<Self> {
                let flexible = $crate::protocol::ApiKey::$key.is_flexible(version);
                $crate::protocol::wire::Wire::read(r, version, flexible)
            }
        }
    };

    (@sample $m:ident, $g:ident, $version:ident, $field:ident, $versions:expr, null $null:literal
        $(, tag $tag:literal)?) => {
        if ($versions).contains(&$version) {
            $m.$field = $crate::protocol::sample::Sample::sample($g, $version);
            if $m.$field.is_none() && $version < $null {
                $m.$field = Some($crate::protocol::sample::Sample::sample($g, $version));
            }
        }
    };
    (@sample $m:ident, $g:ident, $version:ident, $field:ident, $versions:expr $(, tag $tag:literal)?) => {
        if ($versions).contains(&$version) {
            $m.$field = $crate::protocol::sample::Sample::sample($g, $version);
        }
    };

    (@min $n:ident, $version:ident, $flexible:ident, $ty:ty, $versions:expr, tag $tag:literal) => {};
    (@min $n:ident, $version:ident, $flexible:ident, $ty:ty, $versions:expr) => {
        if ($versions).contains(&$version) {
            $n += <$ty as $crate::protocol::wire::Wire>::min_size($version, $flexible);
        }
    };

    (@read $m:ident, $r:ident, $version:ident, $flexible:ident, $field:ident, $versions:expr
        $(, null $null:literal)?, tag $tag:literal) => {};
    (@read $m:ident, $r:ident, $version:ident, $flexible:ident, $field:ident, $versions:expr
        $(, null $null:literal)?) => {
        if ($versions).contains(&$version) {
            $m.$field = message!(@value $r, $version, $flexible $(, null $null)?)
                .map_err(|e| e.in_field(stringify!($field)))?;
        }
    };

    (@read_tag $m:ident, $t:ident, $r:ident, $version:ident, $field:ident, $versions:expr
        $(, null $null:literal)?, tag $tag:literal) => {
        if $t == $tag && ($versions).contains(&$version) {
            $m.$field = message!(@value $r, $version, true $(, null $null)?)
                .map_err(|e| e.in_field(stringify!($field)))?;
            return Ok(true);
        }
    };
    (@read_tag $m:ident, $t:ident, $r:ident, $version:ident, $field:ident, $versions:expr
        $(, null $null:literal)?) => {};

    (@value $r:ident, $version:ident, $flexible:expr, null $null:literal) => {
        $crate::protocol::wire::read_nullable($r, $version, $flexible, $null)
    };
    (@value $r:ident, $version:ident, $flexible:expr) => {
        $crate::protocol::wire::Wire::read($r, $version, $flexible)
    };

    (@write $s:ident, $w:ident, $version:ident, $flexible:ident, $field:ident, $versions:expr
        $(, null $null:literal)?, tag $tag:literal) => {};
    (@write $s:ident, $w:ident, $version:ident, $flexible:ident, $field:ident, $versions:expr, null $null:literal) => {
        if ($versions).contains(&$version) {
            $crate::protocol::wire::write_nullable(&$s.$field, $w, $version, $flexible, $null);
        }
    };
    (@write $s:ident, $w:ident, $version:ident, $flexible:ident, $field:ident, $versions:expr) => {
        if ($versions).contains(&$version) {
            $crate::protocol::wire::Wire::write(&$s.$field, $w, $version, $flexible);
        }
    };

    (@count $s:ident, $tags:ident, $version:ident, $field:ident, $default:expr, $versions:expr, tag $tag:literal) => {
        $tags += (($versions).contains(&$version) && $s.$field != $default) as u32;
    };
    (@count $s:ident, $tags:ident, $version:ident, $field:ident, $default:expr, $versions:expr) => {};

    (@write_tag $s:ident, $w:ident, $version:ident, $field:ident, $default:expr, $versions:expr,
        tag $tag:literal) => {
        if ($versions).contains(&$version) && $s.$field != $default {
            $w.tagged_field($tag, |w| $crate::protocol::wire::Wire::write(&$s.$field, w, $version, true));
        }
    };
    (@write_tag $s:ident, $w:ident, $version:ident, $field:ident, $default:expr, $versions:expr) => {};
}
pub(crate) use message;

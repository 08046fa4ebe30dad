//! Fields that may have anything in them.

use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value,
};
use serde::forward_to_deserialize_any;

use crate::logging::excerpt::Excerpt;

/// A field of an object. A value of a wrong type is not an error of what it is in, so that whatever else is there can
/// be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lenient<T> {
    /// It is missing, or null.
    #[default]
    Missing,
    /// A value of its type.
    Is(T),
    /// Something else: how it looks.
    Bad(Box<str>),
}

/// A list in which each element may be bad by itself.
pub(crate) type List<T> = Lenient<Vec<Lenient<T>>>;

impl<T> Lenient<T> {
    /// The value, if it is one of its type.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Missing | Self::Bad(_) => None,
        }
    }

    /// How it looks, if it is of another type.
    pub(crate) fn bad(&self) -> Option<&str> {
        match self {
            Self::Bad(looks) => Some(looks),
            Self::Missing | Self::Is(_) => None,
        }
    }
}

impl<T> List<T> {
    /// What is listed; nothing if it is no list.
    pub(crate) fn elements(&self) -> &[Lenient<T>] {
        self.value().map_or(&[], Vec::as_slice)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything(PhantomData))
    }
}

struct Anything<T>(PhantomData<T>);

impl<T> Anything<T> {
    fn scalar<'de, E: Error>(
        self,
        value: impl IntoDeserializer<'de, value::Error>,
        looks: impl Display,
    ) -> Result<Lenient<T>, E>
    where
        T: Deserialize<'de>,
    {
        Ok(match T::deserialize(value.into_deserializer()) {
            Ok(value) => Lenient::Is(value),
            Err(_) => Lenient::Bad(Excerpt(looks).to_string().into()),
        })
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Anything<T> {
    type Value = Lenient<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Lenient::Missing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.scalar(value, value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        self.scalar(value, value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        self.scalar(value, value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        self.scalar(value, value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        self.scalar(StrDeserializer::new(value), format_args!("{value:?}"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let value = T::deserialize(Elements(&mut list));
        // Whatever was not read of it; if the text is not JSON this fails as well.
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(value.map_or_else(|_| Lenient::Bad("a list".into()), Lenient::Is))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let value = T::deserialize(MapAccessDeserializer::new(&mut map));
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(value.map_or_else(|_| Lenient::Bad("an object".into()), Lenient::Is))
    }
}

/// A list. Types that are derived would read their fields from one.
struct Elements<A>(A);

impl<'de, A: SeqAccess<'de>> Deserializer<'de> for Elements<A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_seq(self.0)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, A::Error> {
        Err(Error::custom("a list"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

//! Closed sets of label values: a label has no values but those listed in this crate.

/// An enum whose variants are the values of one label.
macro_rules! label_values {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All values; each one's index is its discriminant.
            $vis const ALL: [Self; [$($text),*].len()] = [$(Self::$variant),*];

            /// The label's value.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

pub(crate) use label_values;

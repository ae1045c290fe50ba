//! The name that a primitive carries for reports.

use core::fmt;
use std::borrow::Cow;

/// No name, one from the program text, or one made at run time.
#[derive(Clone, Default)]
pub(crate) enum Name {
    #[default]
    None,
    Static(&'static str),
    Dynamic(Box<str>),
}

impl Name {
    /// Gives the name in place of the last one, in a constant expression too: what a name made at
    /// run time leaves behind is not freed, because dropping is not possible there.
    pub(crate) const fn set_static(&mut self, name: &'static str) {
        core::mem::forget(core::mem::replace(self, Name::Static(name)));
    }

    pub(crate) fn get(&self) -> Option<&str> {
        match self {
            Name::None => None,
            Name::Static(name) => Some(name),
            Name::Dynamic(name) => Some(name),
        }
    }

    /// The name, to keep.
    pub(crate) fn to_cow(&self) -> Option<Cow<'static, str>> {
        match self {
            Name::None => None,
            Name::Static(name) => Some(Cow::Borrowed(name)),
            Name::Dynamic(name) => Some(Cow::Owned(name.to_string())),
        }
    }

    /// Adds the field to a `Debug` of the owner, if there is a name.
    pub(crate) fn describe(&self, out: &mut fmt::DebugStruct<'_, '_>) {
        if let Some(name) = self.get() {
            out.field("name", &name);
        }
    }
}

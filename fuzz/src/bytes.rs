//! Choices made from the bytes of an input.

/// The bytes of an input that are not used yet. At the end there are only zeros.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    /// Splits an input into choices and a text, at the first line break.
    pub(crate) fn and_text(input: &'a [u8]) -> (Self, &'a [u8]) {
        let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
        (Self(&input[..end]), input.get(end + 1..).unwrap_or_default())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub(crate) fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

//! Calls a closure or path with references to the arguments.
//!
//! The references come first, so that the compiler knows a closure's parameters when it reads its body.

macro_rules! apply {
    ($($name:ident($($argument:ident: $type:ident),*);)*) => {$(
        /// Calls `f` with the references.
        #[allow(clippy::too_many_arguments)]
        #[inline]
        pub fn $name<'a, $($type: ?Sized,)* R>($($argument: &'a $type,)* f: impl FnOnce($(&'a $type),*) -> R) -> R {
            f($($argument),*)
        }
    )*};
}

/// Hands a value to `on_exceeded` or `on_error`.
#[inline]
pub fn give<T, R>(value: T, f: impl FnOnce(T) -> R) -> R {
    f(value)
}

/// Calls `f`.
#[inline]
pub fn apply0<R>(f: impl FnOnce() -> R) -> R {
    f()
}

apply! {
    apply1(a: A);
    apply2(a: A, b: B);
    apply3(a: A, b: B, c: C);
    apply4(a: A, b: B, c: C, d: D);
    apply5(a: A, b: B, c: C, d: D, e: E);
    apply6(a: A, b: B, c: C, d: D, e: E, g: G);
    apply7(a: A, b: B, c: C, d: D, e: E, g: G, h: H);
    apply8(a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I);
    apply9(a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J);
    apply10(a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K);
    apply11(a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K, l: L);
    apply12(a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K, l: L, m: M);
}

//! Statements over many rows at once. Their sizes are powers of two, so that a connection prepares a handful of them.

use crate::database::Dialect;
use sqlx::{Any, Arguments, Encode, Type, any::AnyArguments};

/// Most rows of one statement: below the numbers of parameters that SQLite (32,766) and Postgres (65,535) take.
const MOST_ROWS: usize = 512;

/// Splits rows into slices that have a size of a statement.
pub(crate) fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        if rows.is_empty() {
            return None;
        }
        let size = MOST_ROWS.min(1 << rows.len().ilog2());
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

/// `($1, $2), ($3, $4)` for two rows of two columns. SQLite looks a parameter with a name or a number up among all of them,
/// so there they have none: `(?, ?), (?, ?)`. (With names three quarters of the projection's time went into that.)
pub(crate) fn tuples(dialect: Dialect, rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        list_into(&mut text, dialect, row * columns, columns);
        text.push(')');
    }
    text
}

/// `$1, $2, $3`, or `?, ?, ?`
pub(crate) fn list(dialect: Dialect, count: usize) -> String {
    let mut text = String::with_capacity(count * 6);
    list_into(&mut text, dialect, 0, count);
    text
}

fn list_into(text: &mut String, dialect: Dialect, before: usize, count: usize) {
    use std::fmt::Write as _;
    for index in 0..count {
        let separator = if index == 0 { "" } else { ", " };
        let _ = match dialect {
            Dialect::Sqlite => write!(text, "{separator}?"),
            Dialect::Postgres => write!(text, "{separator}${}", before + index + 1),
        };
    }
}

/// A row as parameters of a statement.
pub(crate) trait Bind {
    const COLUMNS: usize;

    fn bind(&self, arguments: &mut AnyArguments);
}

/// An id alone.
impl Bind for str {
    const COLUMNS: usize = 1;

    fn bind(&self, arguments: &mut AnyArguments) {
        add(arguments, self);
    }
}

impl<T: Bind + ?Sized> Bind for &T {
    const COLUMNS: usize = T::COLUMNS;

    fn bind(&self, arguments: &mut AnyArguments) {
        T::bind(self, arguments);
    }
}

/// Adds one parameter.
pub(crate) fn add<'t, T>(arguments: &mut AnyArguments, value: T)
where
    T: Encode<'t, Any> + Type<Any>,
{
    let added = arguments.add(value);
    debug_assert!(added.is_ok(), "numbers and texts can always be encoded");
}

/// The parameters of several rows.
pub(crate) fn bound<T: Bind>(rows: &[T]) -> AnyArguments {
    let mut arguments = AnyArguments::default();
    arguments.reserve(rows.len() * T::COLUMNS, 0);
    for row in rows {
        row.bind(&mut arguments);
    }
    arguments
}

/// Numbers in one column.
pub(crate) fn to_text(numbers: &[i64]) -> String {
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    texts.join(" ")
}

pub(crate) fn from_text(text: &str) -> Vec<i64> {
    text.split(' ').filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_into_powers_of_two() {
        let sizes = |rows: usize| chunks(&vec![0; rows]).map(<[i32]>::len).collect::<Vec<_>>();
        assert!(sizes(0).is_empty());
        assert_eq!(sizes(7), [4, 2, 1]);
        assert_eq!(sizes(1100), [512, 512, 64, 8, 4]);
    }

    #[test]
    fn parameters_count_on_over_rows() {
        assert_eq!(tuples(Dialect::Postgres, 2, 2), "($1, $2), ($3, $4)");
        assert_eq!(tuples(Dialect::Sqlite, 2, 2), "(?, ?), (?, ?)");
        assert_eq!(list(Dialect::Postgres, 3), "$1, $2, $3");
    }
}

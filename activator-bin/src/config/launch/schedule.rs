//! `schedule`: other values of `min_scale` at some times of the week.

use super::super::file::{Reader, Section};
use crate::revision::launch::ScheduleEntry;
use crate::settings::{Value, settings};

/// The most entries of a revision.
const MOST: usize = 100;

/// The days of the week, by name.
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

settings! {
    /// A part of the week.
    #[derive(Clone)]
    pub struct ScheduleDraft in "" {
        /// The days on which it begins: daily, or days and ranges of them with commas, like mon-thu,sat.
        days: [bool; 7] = "daily", by(days);
        /// When it begins, local time: from 00:00 to 23:59.
        from: u16 = required, by(begin);
        /// When it ends, up to 24:00; on the next day if that is not after from.
        to: u16 = required, by(end);
        /// The fewest instances meanwhile; min_scale holds too.
        min_scale: u32 = required, whole(0..=super::MOST);
    }
}

/// Reads the list; empty when it is missing.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    max_scale: Option<u32>,
) -> Vec<ScheduleEntry> {
    let expected =
        "a list, like [{ days = \"mon-fri\", from = \"08:00\", to = \"18:00\", min_scale = 1 }]";
    let sections = reader.tables(section, "schedule", expected, "a table");
    if let Some(first) = sections.get(MOST) {
        let message = format!("is one entry too many; there may be {MOST}");
        let (location, name) = (first.location.clone(), first.name.clone());
        reader.problems.push(location, name, message);
        return Vec::new();
    }
    let mut entries = Vec::new();
    for section in sections {
        let mut draft = ScheduleDraft::default();
        let locations = reader.read(&section, &[], &mut draft);
        if let Some(max) = max_scale.filter(|max| draft.min_scale > *max) {
            let field = "min_scale";
            let location = locations.get(field).unwrap_or(&section.location);
            let message = format!("must not be greater than max_scale, {max}");
            let problems = &mut reader.problems;
            problems.push(location.clone(), section.field(field), message);
        }
        entries.push(ScheduleEntry {
            days: draft.days,
            from: draft.from,
            to: draft.to,
            min_scale: draft.min_scale,
        });
    }
    entries
}

fn days(value: &Value<'_>) -> Result<[bool; 7], String> {
    let expected = "\"daily\", or days like \"mon-fri\" or \"sat,sun\"";
    let text = value.string(expected)?;
    if text.trim() == "daily" {
        return Ok([true; 7]);
    }
    let day = |name: &str| DAYS.iter().position(|day| *day == name.trim());
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Some(first), Some(last)) = (day(first), day(last)) else {
            return Err(value.instead_of(expected));
        };
        // A range may go over the end of the week.
        let count = (last + 7 - first) % 7;
        (first..=first + count).for_each(|day| days[day % 7] = true);
    }
    Ok(days)
}

fn begin(value: &Value<'_>) -> Result<u16, String> {
    let time = minutes(value)?.filter(|time| *time < 24 * 60);
    time.ok_or_else(|| value.instead_of("a time, \"00:00\" to \"23:59\""))
}

fn end(value: &Value<'_>) -> Result<u16, String> {
    let time = minutes(value)?;
    time.ok_or_else(|| value.instead_of("a time, \"00:00\" to \"24:00\""))
}

/// Minutes after midnight, up to the next one.
fn minutes(value: &Value<'_>) -> Result<Option<u16>, String> {
    let text = value.string("a time in quotes, like \"08:00\"")?;
    let number = |text: &str, most: u16| -> Option<u16> {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_plain.then(|| text.parse().ok())??;
        (number <= most).then_some(number)
    };
    let read = || {
        let (hours, minutes) = text.split_once(':')?;
        let time = number(hours, 24)? * 60 + number(minutes, 59)?;
        (time <= 24 * 60).then_some(time)
    };
    Ok(read())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_ranges_and_lists_and_may_go_over_the_end_of_the_week() {
        let check = |text: &str, expected: &str| {
            let found = days(&Value::Text(text)).ok();
            let found = found.map(|days| days.map(|it| if it { 'x' } else { '-' }));
            let found = found.map(String::from_iter);
            assert_eq!(found.as_deref().unwrap_or("bad"), expected, "{text:?}");
        };
        check("daily", "xxxxxxx");
        check("mon", "x------");
        check("mon-fri", "xxxxx--");
        check("sat,sun", "-----xx");
        check("fri-mon", "x---xxx");
        check(" mon - tue , sun ", "xx----x");
        check("sun-sun,wed", "--x---x");
        check("mon-sun", "xxxxxxx");
        for bad in [
            "",
            "monday",
            "Mon",
            "mon-",
            "mon,,tue",
            "daily,mon",
            "mon-tue-wed",
            "1",
        ] {
            check(bad, "bad");
        }
    }

    #[test]
    fn times_have_hours_and_minutes_and_the_end_may_be_midnight() {
        let begin = |text| begin(&Value::Text(text)).ok();
        let end = |text| end(&Value::Text(text)).ok();
        assert_eq!((begin("00:00"), end("00:00")), (Some(0), Some(0)));
        assert_eq!((begin("08:30"), end("23:59")), (Some(510), Some(1439)));
        assert_eq!((begin("24:00"), end("24:00")), (None, Some(1440)));
        for bad in [
            "", "8:30", "08:60", "24:01", "25:00", "0830", "08:3", "+8:30", "08:30:00",
        ] {
            assert_eq!((begin(bad), end(bad)), (None, None), "{bad:?}");
        }
    }
}

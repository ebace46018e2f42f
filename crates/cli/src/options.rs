//! The options of a command, read as Apache Commons CLI reads them.

use crate::trouble::Trouble;

/// One option. Its name stands behind one dash.
#[derive(Debug)]
pub(crate) struct Opt {
    pub(crate) name: &'static str,
    pub(crate) takes_value: bool,
    pub(crate) description: &'static str,
}

/// An option without a value.
pub(crate) const fn flag(name: &'static str, description: &'static str) -> Opt {
    Opt { name, takes_value: false, description }
}

/// An option with one.
pub(crate) const fn value(name: &'static str, description: &'static str) -> Opt {
    Opt { name, takes_value: true, description }
}

/// Which of a command's options go together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Choice {
    /// Any.
    Free,
    /// At most one.
    AtMostOne,
    /// Exactly one.
    One,
    /// The words are not looked at.
    Ignored,
}

/// A command line taken apart.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The words that are no options, the command first.
    pub(crate) args: Vec<String>,
    given: Vec<(&'static str, Option<String>)>,
}

impl Parsed {
    /// Whether the option is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == name)
    }

    /// The first value of the option.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| *given == name).and_then(|(_, value)| value.as_deref())
    }
}

/// An exception of Commons CLI as the shell prints it.
fn exception(name: &str, message: impl std::fmt::Display) -> Trouble {
    Trouble::told(format!("org.apache.commons.cli.{name}: {message}"))
}

/// Reads `words`.
///
/// Source: `org.apache.commons.cli.DefaultParser` 1.5.0, for options of one dash.
pub(crate) fn parse(words: &[String], options: &'static [Opt], choice: Choice) -> Result<Parsed, Trouble> {
    if choice == Choice::Ignored {
        return Ok(Parsed { args: words.to_vec(), given: Vec::new() });
    }
    let mut parser = Parser { options, choice, parsed: Parsed::default(), open: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            parser.parsed.args.extend(words.by_ref().cloned());
            break;
        }
        parser.take(word)?;
    }
    parser.close()?;
    if choice == Choice::One && parser.parsed.given.is_empty() {
        let group: Vec<String> =
            options.iter().map(|option| format!("-{} {}", option.name, option.description)).collect();
        let message = format!("Missing required option: [{}]", group.join(", "));
        return Err(exception("MissingOptionException", message));
    }
    Ok(parser.parsed)
}

struct Parser {
    options: &'static [Opt],
    choice: Choice,
    parsed: Parsed,
    /// The option that waits for its value.
    open: Option<&'static str>,
}

impl Parser {
    fn find(&self, name: &str) -> Option<&'static Opt> {
        self.options.iter().find(|option| option.name == name)
    }

    /// An option by its first letter.
    fn find_letter(&self, letter: char) -> Option<&'static Opt> {
        self.find(letter.encode_utf8(&mut [0; 4]))
    }

    fn take(&mut self, word: &str) -> Result<(), Trouble> {
        if let Some(open) = self.open
            && self.is_value(word)
        {
            self.open = None;
            self.parsed.given.push((open, Some(unquoted(word).to_owned())));
            return Ok(());
        }
        match word.strip_prefix('-') {
            Some("") | None => {
                self.parsed.args.push(word.to_owned());
                Ok(())
            }
            Some(name) if name.starts_with('-') => Err(unrecognized(word)),
            Some(name) => self.take_option(word, name),
        }
    }

    /// Whether a word behind an option that wants a value is one: options are not, but negative numbers are.
    fn is_value(&self, word: &str) -> bool {
        let Some(name) = word.strip_prefix('-').filter(|name| !name.is_empty()) else { return true };
        let name = name.split('=').next().unwrap_or_default();
        let is_option = self.find(name).is_some()
            || name.chars().next().is_some_and(|letter| self.find_letter(letter).is_some());
        !is_option || word.parse::<f64>().is_ok()
    }

    /// `-s`, `-file`, `-v=1`, `-sw`, `-v1`.
    fn take_option(&mut self, word: &str, name: &str) -> Result<(), Trouble> {
        if let Some((name, value)) = name.split_once('=') {
            let option = self.find(name).filter(|option| option.takes_value && name.chars().count() == 1);
            let option = option.ok_or_else(|| unrecognized(word))?;
            self.give(option)?;
            self.open = None;
            self.parsed.given.push((option.name, Some(value.to_owned())));
            return Ok(());
        }
        if let Some(option) = self.find(name) {
            return self.give(option);
        }
        if name.chars().count() == 1 {
            return Err(unrecognized(word));
        }
        for (at, letter) in name.char_indices() {
            let option = self.find_letter(letter).ok_or_else(|| unrecognized(word))?;
            self.give(option)?;
            let rest = &name[at + letter.len_utf8()..];
            if option.takes_value && !rest.is_empty() {
                self.open = None;
                self.parsed.given.push((option.name, Some(rest.to_owned())));
                break;
            }
        }
        Ok(())
    }

    /// Notes an option; one with a value waits for it.
    fn give(&mut self, option: &'static Opt) -> Result<(), Trouble> {
        self.close()?;
        if matches!(self.choice, Choice::AtMostOne | Choice::One)
            && let Some((chosen, _)) = self.parsed.given.iter().find(|(given, _)| *given != option.name)
        {
            let message = format!(
                "The option '{}' was specified but an option from this group has already been selected: '{chosen}'",
                option.name
            );
            return Err(exception("AlreadySelectedException", message));
        }
        if option.takes_value {
            self.open = Some(option.name);
        } else {
            self.parsed.given.push((option.name, None));
        }
        Ok(())
    }

    fn close(&self) -> Result<(), Trouble> {
        let missing =
            |name| exception("MissingArgumentException", format!("Missing argument for option: {name}"));
        self.open.map_or(Ok(()), |name| Err(missing(name)))
    }
}

fn unrecognized(word: &str) -> Trouble {
    exception("UnrecognizedOptionException", format!("Unrecognized option: {word}"))
}

/// A value without the double quotes around it, if there are none inside.
fn unquoted(word: &str) -> &str {
    let inner = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(word)
}

/// The list of options below a usage line. Source: `HelpFormatter#printOptions`.
pub(crate) fn listed(options: &[Opt]) -> String {
    let mut sorted: Vec<&Opt> = options.iter().collect();
    sorted.sort_by_key(|option| option.name.to_lowercase());
    let shown = |option: &Opt| format!(" -{}{}", option.name, if option.takes_value { " <arg>" } else { "" });
    let width = sorted.iter().map(|option| shown(option).len()).max().unwrap_or(0);
    sorted.iter().map(|option| format!("{:width$}   {}\n", shown(option), option.description)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &[Opt] =
        &[flag("s", "stat"), value("v", "version"), flag("b", "base64"), value("file", "path")];

    fn read(line: &str) -> Result<Parsed, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parse(&words, SET, Choice::Free).map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn options_may_stand_anywhere_and_together() {
        let parsed = read("set -s /a -v 3 x").unwrap();
        assert_eq!(parsed.args, ["set", "/a", "x"]);
        assert!(parsed.has("s") && !parsed.has("b"));
        assert_eq!(parsed.value("v"), Some("3"));
        assert_eq!(read("set -sv3 /a").unwrap().value("v"), Some("3"));
        assert_eq!(read("set -v=-3 /a").unwrap().value("v"), Some("-3"));
        assert_eq!(read("set -v -1 /a").unwrap().value("v"), Some("-1"));
        assert_eq!(read("set -file x").unwrap().value("file"), Some("x"));
        assert_eq!(read("set /a -- -s").unwrap().args, ["set", "/a", "-s"]);
        assert_eq!(read("set /a -").unwrap().args, ["set", "/a", "-"]);
    }

    #[test]
    fn wrong_options_are_told_in_words_of_java() {
        let told = |line: &str| read(line).unwrap_err();
        assert_eq!(
            told("set -z"),
            "org.apache.commons.cli.UnrecognizedOptionException: Unrecognized option: -z"
        );
        assert_eq!(
            told("set --long"),
            "org.apache.commons.cli.UnrecognizedOptionException: Unrecognized option: --long"
        );
        assert_eq!(
            told("set -sz"),
            "org.apache.commons.cli.UnrecognizedOptionException: Unrecognized option: -sz"
        );
        for line in ["set /a -v", "set -v -s /a"] {
            assert_eq!(
                told(line),
                "org.apache.commons.cli.MissingArgumentException: Missing argument for option: v"
            );
        }
    }

    #[test]
    fn a_group_is_chosen_from_once() {
        const QUOTA: &[Opt] = &[flag("n", "count"), flag("b", "bytes")];
        let read = |line: &str, choice| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            parse(&words, QUOTA, choice).map_err(|trouble| trouble.to_string())
        };
        assert!(read("q -n -n /a", Choice::One).is_ok() && read("q /a", Choice::AtMostOne).is_ok());
        assert_eq!(
            read("q -n -b /a", Choice::AtMostOne).unwrap_err(),
            "org.apache.commons.cli.AlreadySelectedException: The option 'b' was specified but an option from this \
             group has already been selected: 'n'"
        );
        assert_eq!(
            read("q /a", Choice::One).unwrap_err(),
            "org.apache.commons.cli.MissingOptionException: Missing required option: [-n count, -b bytes]"
        );
    }

    #[test]
    fn options_are_listed_in_two_columns() {
        assert_eq!(
            listed(SET),
            " -b            base64\n -file <arg>   path\n -s            stat\n -v <arg>      version\n"
        );
    }
}

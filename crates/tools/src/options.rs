//! Command lines as the original's parser takes them: `-rv`, `-z5`, `-z=5`, `--zxid 5`, `--z=5`, `-zxid 5`, options
//! behind the file name, and the same complaints.
//!
//! Source: `DefaultParser` of Apache Commons CLI 1.5.

/// One option that may be given.
#[derive(Debug)]
pub(crate) struct Known {
    /// The name behind one hyphen.
    pub(crate) short: char,
    /// The name behind two.
    pub(crate) long: &'static str,
    /// Whether a value follows.
    pub(crate) takes_value: bool,
    /// Whether it has to be there.
    pub(crate) required: bool,
}

impl Known {
    /// One that is there or not.
    pub(crate) const fn flag(short: char, long: &'static str) -> Self {
        Self { short, long, takes_value: false, required: false }
    }

    /// One with a value.
    pub(crate) const fn value(short: char, long: &'static str) -> Self {
        Self { short, long, takes_value: true, required: false }
    }

    /// The same, and it has to be given.
    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

/// What a command line says.
#[derive(Debug, Default)]
pub(crate) struct Given {
    flags: Vec<char>,
    values: Vec<(char, String)>,
    /// The words that are no options.
    pub(crate) words: Vec<String>,
}

impl Given {
    /// Whether an option is there.
    pub(crate) fn has(&self, short: char) -> bool {
        self.flags.contains(&short)
    }

    /// The value of an option; of several the first.
    pub(crate) fn value(&self, short: char) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == short).map(|(_, value)| value.as_str())
    }
}

/// Reads a command line.
///
/// # Errors
/// The original's message.
pub(crate) fn parse(known: &'static [Known], words: &[String]) -> Result<Given, String> {
    let mut parser = Parser { known, given: Given::default(), waiting: None };
    let mut words = words.iter();
    for word in words.by_ref() {
        if word == "--" {
            break;
        }
        parser.word(word)?;
    }
    parser.given.words.extend(words.cloned());
    parser.no_value_is_missing()?;
    let missing: Vec<String> = known
        .iter()
        .filter(|option| option.required && !parser.given.has(option.short))
        .map(|option| option.short.to_string())
        .collect();
    match missing.as_slice() {
        [] => Ok(parser.given),
        [one] => Err(format!("Missing required option: {one}")),
        several => Err(format!("Missing required options: {}", several.join(", "))),
    }
}

struct Parser {
    known: &'static [Known],
    given: Given,
    /// The option whose value comes next.
    waiting: Option<&'static Known>,
}

impl Parser {
    fn word(&mut self, word: &str) -> Result<(), String> {
        if let Some(option) = self.waiting.filter(|_| self.is_value(word)) {
            self.waiting = None;
            self.take_value(option, unquoted(word));
            return Ok(());
        }
        match word.strip_prefix("--") {
            Some(name) => self.long(word, name),
            None if word.starts_with('-') && word.len() > 1 => self.short_or_long(word),
            None => {
                self.given.words.push(word.to_owned());
                Ok(())
            }
        }
    }

    fn short(&self, name: &str) -> Option<&'static Known> {
        let mut letters = name.chars();
        let letter = letters.next().filter(|_| letters.as_str().is_empty())?;
        self.known.iter().find(|option| option.short == letter)
    }

    /// The options that a long name, which may be cut short, can mean.
    fn matching(&self, name: &str) -> Vec<&'static Known> {
        if let Some(exact) = self.known.iter().find(|option| option.long == name) {
            return vec![exact];
        }
        self.known.iter().filter(|option| option.long.starts_with(name)).collect()
    }

    /// The option whose long name the text starts with, as in `-zxid5`.
    fn long_prefix(&self, text: &str) -> Option<&'static Known> {
        self.known.iter().find(|option| {
            option.long.len() >= 2 && text.len() > option.long.len() && text.starts_with(option.long)
        })
    }

    /// Whether a word can be the value of an option: whatever is no option, and negative numbers.
    fn is_value(&self, word: &str) -> bool {
        let Some(rest) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else { return true };
        if word.parse::<f64>().is_ok() {
            return true;
        }
        let name = rest.split('=').next().unwrap_or(rest);
        let one_hyphen = !name.starts_with('-');
        let starts_with_short =
            one_hyphen && name.chars().next().is_some_and(|first| self.short(&first.to_string()).is_some());
        let bare = name.trim_start_matches('-');
        !(starts_with_short
            || !self.matching(bare).is_empty()
            || (one_hyphen && self.long_prefix(bare).is_some()))
    }

    /// `--name` and `--name=value`; also `-name` and `-name=value`.
    fn long(&mut self, word: &str, text: &str) -> Result<(), String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let option = match self.matching(name).as_slice() {
            [] => return Err(unrecognized(word)),
            [one] => *one,
            several => {
                let given = word.split('=').next().unwrap_or(word);
                let names: Vec<String> = several.iter().map(|option| format!("'{}'", option.long)).collect();
                return Err(format!("Ambiguous option: '{given}'  (could be: {})", names.join(", ")));
            }
        };
        match value {
            None => self.option(option),
            Some(value) if option.takes_value => self.option_with(option, value),
            Some(_) => Err(unrecognized(word)),
        }
    }

    /// `-n`, `-n=value`, `-nvalue`, `-abc`, and long names behind one hyphen.
    fn short_or_long(&mut self, word: &str) -> Result<(), String> {
        let text = word.trim_start_matches('-');
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let mut letters = name.chars();
        let is_letter = letters.next().is_some() && letters.as_str().is_empty();
        match (self.short(name), value) {
            (Some(option), None) => self.option(option),
            (Some(option), Some(value)) if option.takes_value => self.option_with(option, value),
            _ if is_letter => Err(unrecognized(word)),
            (_, Some(_)) => self.long(word, text),
            (_, None) if !self.matching(name).is_empty() => self.long(word, text),
            (_, None) => match self.long_prefix(text).filter(|option| option.takes_value) {
                Some(option) => self.option_with(option, &text[option.long.len()..]),
                None => self.several(word),
            },
        }
    }

    /// `-abc`: flags, and perhaps one with a value, which takes the rest.
    fn several(&mut self, word: &str) -> Result<(), String> {
        for (at, letter) in word.char_indices().skip(1) {
            let Some(option) = self.short(&letter.to_string()) else { return Err(unrecognized(word)) };
            let rest = &word[at + letter.len_utf8()..];
            if option.takes_value && !rest.is_empty() {
                return self.option_with(option, rest);
            }
            self.option(option)?;
        }
        Ok(())
    }

    fn option(&mut self, option: &'static Known) -> Result<(), String> {
        self.no_value_is_missing()?;
        self.given.flags.push(option.short);
        self.waiting = Some(option).filter(|option| option.takes_value);
        Ok(())
    }

    fn option_with(&mut self, option: &'static Known, value: &str) -> Result<(), String> {
        self.option(option)?;
        self.waiting = None;
        self.take_value(option, value);
        Ok(())
    }

    fn take_value(&mut self, option: &Known, value: &str) {
        self.given.values.push((option.short, value.to_owned()));
    }

    fn no_value_is_missing(&self) -> Result<(), String> {
        match self.waiting {
            Some(option) => Err(format!("Missing argument for option: {}", option.short)),
            None => Ok(()),
        }
    }
}

fn unrecognized(word: &str) -> String {
    format!("Unrecognized option: {word}")
}

/// Without the quotes around it, if there are some and none in between.
fn unquoted(word: &str) -> &str {
    let inner = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Known; 4] = [
        Known::flag('v', "verbose"),
        Known::flag('r', "recover"),
        Known::value('z', "zxid").required(),
        Known::flag('x', "verify"),
    ];

    fn read(line: &str) -> Result<(String, String, String), String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let given = parse(&KNOWN, &words)?;
        let zxid = given.value('z').unwrap_or("none").to_owned();
        Ok((given.flags.iter().filter(|&&flag| flag != 'z').collect(), zxid, given.words.join(" ")))
    }

    #[test]
    fn every_form_of_an_option_is_understood() {
        for (line, flags, zxid, words) in [
            ("-rv -z 5 log.1", "rv", "5", "log.1"),
            ("log.1 -rz5", "r", "5", "log.1"),
            ("--rec --zxid=0x5 log.1", "r", "0x5", "log.1"),
            ("-recover -zxid 7 a b", "r", "7", "a b"),
            ("-z=9", "", "9", ""),
            ("-zxid=9", "", "9", ""),
            ("-zxid9 -", "", "9", "-"),
            ("-z -5", "", "-5", ""),
            ("-z 1 -z 2 -- -v", "", "1", "-v"),
        ] {
            assert_eq!(read(line).unwrap(), (flags.to_owned(), zxid.to_owned(), words.to_owned()), "{line}");
        }
    }

    #[test]
    fn complaints_are_the_originals() {
        for (line, complaint) in [
            ("-q", "Unrecognized option: -q"),
            ("-rq", "Unrecognized option: -rq"),
            ("--nothing", "Unrecognized option: --nothing"),
            ("--recover=yes", "Unrecognized option: --recover=yes"),
            ("-z", "Missing argument for option: z"),
            ("-z -r", "Missing argument for option: z"),
            ("-r", "Missing required option: z"),
            ("--ver", "Ambiguous option: '--ver'  (could be: 'verbose', 'verify')"),
        ] {
            assert_eq!(read(line).unwrap_err(), complaint, "{line}");
        }
    }
}

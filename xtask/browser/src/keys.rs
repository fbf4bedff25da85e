//! Keys by their names, as `KeyboardEvent.key` has them.

use anyhow::bail;
use serde_json::{Value, json};

/// A key with what is held beside it: `a`, `Tab`, `Shift+Tab`, `Control+ArrowUp`.
pub(crate) fn key(name: &str) -> anyhow::Result<Value> {
    let mut modifiers = 0;
    let mut rest = name;
    while let Some((held, further)) = rest.split_once('+').filter(|(held, _)| !held.is_empty()) {
        modifiers |= match held {
            "Alt" => 1,
            "Control" => 2,
            "Meta" => 4,
            "Shift" => 8,
            _ => bail!("'{held}' of '{name}' is no key that is held"),
        };
        rest = further;
    }
    // The codes of the Windows keyboard, which Chromium has everywhere.
    let (code, number, text) = match rest {
        "Tab" => ("Tab".into(), 9, ""),
        "Enter" => ("Enter".into(), 13, "\r"),
        "Escape" => ("Escape".into(), 27, ""),
        " " | "Space" => ("Space".into(), 32, " "),
        "PageUp" => ("PageUp".into(), 33, ""),
        "PageDown" => ("PageDown".into(), 34, ""),
        "End" => ("End".into(), 35, ""),
        "Home" => ("Home".into(), 36, ""),
        "ArrowLeft" => ("ArrowLeft".into(), 37, ""),
        "ArrowUp" => ("ArrowUp".into(), 38, ""),
        "ArrowRight" => ("ArrowRight".into(), 39, ""),
        "ArrowDown" => ("ArrowDown".into(), 40, ""),
        "Backspace" => ("Backspace".into(), 8, ""),
        "Delete" => ("Delete".into(), 46, ""),
        one if one.chars().count() == 1 => of_character(one)?,
        _ => bail!("'{name}' is no key that is known here"),
    };
    let text = if modifiers & 7 == 0 { text } else { "" };
    let key = if rest == "Space" { " " } else { rest };
    Ok(json!({
        "key": key,
        "code": code,
        "windowsVirtualKeyCode": number,
        "modifiers": modifiers,
        "text": text,
    }))
}

fn of_character(one: &str) -> anyhow::Result<(String, u32, &str)> {
    let Some(letter) = one.bytes().next().filter(u8::is_ascii_graphic) else {
        bail!("'{one}' is on no key of a plain keyboard");
    };
    let upper = letter.to_ascii_uppercase();
    let code = match letter {
        _ if letter.is_ascii_alphabetic() => format!("Key{}", char::from(upper)),
        _ if letter.is_ascii_digit() => format!("Digit{}", char::from(letter)),
        b'+' | b'=' => "Equal".into(),
        b'-' | b'_' => "Minus".into(),
        b'[' => "BracketLeft".into(),
        b']' => "BracketRight".into(),
        b',' | b'<' => "Comma".into(),
        b'.' | b'>' => "Period".into(),
        b'/' | b'?' => "Slash".into(),
        _ => String::new(),
    };
    let number = if letter.is_ascii_alphanumeric() {
        upper.into()
    } else {
        0
    };
    Ok((code, number, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_what_a_keyboard_sends() {
        let of = |name| key(name).unwrap();
        assert_eq!(of("Shift+Tab")["modifiers"], 8);
        assert_eq!(of("a")["code"], "KeyA");
        assert_eq!(of("a")["text"], "a");
        assert_eq!(of("Control+a")["text"], "");
        assert_eq!(of("+")["key"], "+");
        assert_eq!(of("Shift++")["key"], "+");
        assert_eq!(of("Space")["key"], " ");
        assert!(key("Hyper+a").is_err());
        assert!(key("Nonsense").is_err());
    }
}

//! rtpengine's control protocol: a cookie, a space and a bencoded dictionary, over UDP.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// The two kinds of value that are needed: text, and a list of texts.
pub enum Value<'a> {
    /// A string.
    Text(&'a str),
    /// A list of strings.
    List(&'a [&'a str]),
}

/// A conversation with rtpengine.
pub struct Engine {
    socket: UdpSocket,
    cookie: u64,
}

impl Engine {
    /// At this address.
    pub fn new(address: SocketAddr) -> io::Result<Engine> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(3)))?;
        Ok(Engine { socket, cookie: 0 })
    }

    /// Asks; the description in the answer, if there is one.
    pub fn ask(&mut self, words: &[(&str, Value<'_>)]) -> io::Result<Option<String>> {
        self.cookie += 1;
        let cookie = format!("{}_{}", std::process::id(), self.cookie);
        self.socket.send(format!("{cookie} {}", dictionary(words)).as_bytes())?;
        let mut buffer = [0; 16_384];
        loop {
            let length = self.socket.recv(&mut buffer)?;
            let text = String::from_utf8_lossy(&buffer[..length]);
            let Some(answer) = text.strip_prefix(&format!("{cookie} ")) else { continue };
            let result = string_after(answer, "6:result").unwrap_or_default();
            if !["ok", "pong"].contains(&result) {
                return Err(io::Error::other(format!("rtpengine: {answer}")));
            }
            return Ok(string_after(answer, "3:sdp").map(str::to_owned));
        }
    }
}

/// Keys in order, as bencoding wants them.
fn dictionary(words: &[(&str, Value<'_>)]) -> String {
    let sorted: BTreeMap<&str, &Value<'_>> = words.iter().map(|(key, value)| (*key, value)).collect();
    let text = |text: &str| format!("{}:{text}", text.len());
    let mut whole = "d".to_owned();
    for (key, value) in sorted {
        whole.push_str(&text(key));
        match value {
            Value::Text(value) => whole.push_str(&text(value)),
            Value::List(values) => whole.push_str(&format!("l{}e", values.iter().map(|value| text(value)).collect::<String>())),
        }
    }
    whole + "e"
}

/// The string that follows a key in a flat dictionary.
fn string_after<'a>(dictionary: &'a str, key: &str) -> Option<&'a str> {
    let (length, rest) = dictionary.split_once(key)?.1.split_once(':')?;
    rest.get(..length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_are_written_in_order_and_read() {
        let text =
            dictionary(&[("sdp", Value::Text("v=0")), ("command", Value::Text("offer")), ("replace", Value::List(&["a", "bc"]))]);
        assert_eq!(text, "d7:command5:offer7:replacel1:a2:bce3:sdp3:v=0e");
        assert_eq!(string_after("d6:result2:ok3:sdp3:v=0e", "3:sdp"), Some("v=0"));
    }
}

//! A minimal client. It shares no code, and so no mistake, with the client under test.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::reply::Reply;

/// Sends one command over a new connection.
pub(super) fn send_command(
    socket: &Path,
    password: Option<&str>,
    command: &[&str],
) -> io::Result<Reply> {
    let stream = UnixStream::connect(socket)?;
    let mut reader = BufReader::new(&stream);
    if let Some(password) = password {
        send(&stream, &["AUTH", password])?;
        receive(&mut reader)?;
    }
    send(&stream, command)?;
    receive(&mut reader)
}

fn send(mut stream: &UnixStream, command: &[&str]) -> io::Result<()> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for argument in command {
        bytes.extend(format!("${}\r\n{argument}\r\n", argument.len()).bytes());
    }
    stream.write_all(&bytes)
}

fn receive(reader: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let number = || rest.parse::<i64>().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    Ok(match kind {
        "+" => Reply::Text(rest.to_owned()),
        "-" => Reply::Error(rest.to_owned()),
        ":" => Reply::Number(number()?),
        "$" => match usize::try_from(number()?) {
            Err(_) => Reply::Nil,
            Ok(len) => {
                let mut bytes = vec![0; len + 2];
                reader.read_exact(&mut bytes)?;
                bytes.truncate(len);
                Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
        },
        "*" => match number()? {
            count if count < 0 => Reply::Nil,
            count => Reply::List((0..count).map(|_| receive(reader)).collect::<io::Result<_>>()?),
        },
        _ => return Err(io::ErrorKind::InvalidData.into()),
    })
}

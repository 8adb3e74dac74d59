//! What the servers do in one step.

use redis::Cmd;
use sha1::{Digest, Sha1};

use crate::error::{Effect, Failure};
use crate::servers::{Answers, Servers, Unit};

/// Writes of one space under their expectations.
///
/// Keys: the types of the space; the record of each write; the indexes. Arguments: `a` if all or nothing
/// is to be done, else `e`; the number of writes; then of each what is expected (`*` for anything, `-`
/// for nothing, otherwise the revision), the number of its index, its type, its id, and the value after
/// a `p`, or `d` to delete. Answer: how many types are new; then for each write 1 if its expectation
/// held.
///
/// What another program has put in the place of an index must not stop it half way, so it looks first.
const WRITE: &str = r"
local count = tonumber(ARGV[2])
local answer, failed = {0}, false
for i = 1, #KEYS do
  if i == 1 or i > 1 + count then
    local found = redis.call('TYPE', KEYS[i]).ok
    if found ~= 'none' and found ~= (i == 1 and 'set' or 'zset') then
      return redis.error_reply('WRONGTYPE an index is no ' .. (i == 1 and 'set' or 'sorted set'))
    end
  end
end
for i = 1, count do
  local expect, holds = ARGV[5 * i - 2], true
  if expect == '-' then
    holds = redis.call('EXISTS', KEYS[1 + i]) == 0
  elseif expect ~= '*' then
    -- What is no string, because another program has put it there, is not the record that is expected.
    local stored = redis.pcall('GET', KEYS[1 + i])
    holds = type(stored) == 'string' and string.sub(redis.sha1hex(stored), 1, 32) == expect
  end
  answer[1 + i] = holds and 1 or 0
  failed = failed or not holds
end
if failed and ARGV[1] == 'a' then
  return answer
end
for i = 1, count do
  if answer[1 + i] == 1 then
    local at = 5 * i - 2
    local record, index = KEYS[1 + i], KEYS[1 + count + tonumber(ARGV[at + 1])]
    if string.sub(ARGV[at + 4], 1, 1) == 'p' then
      redis.call('SET', record, string.sub(ARGV[at + 4], 2))
      redis.call('ZADD', index, 0, ARGV[at + 3])
      answer[1] = answer[1] + redis.call('SADD', KEYS[1], ARGV[at + 2])
    else
      redis.call('DEL', record)
      redis.call('ZREM', index, ARGV[at + 3])
    end
  end
end
return answer
";

/// One record that lies by itself.
///
/// Key: the record. Arguments: what is expected; until when, in milliseconds of the server's clock, the
/// index is known to have its key, or 0; the value after a `p`, or `d` to delete. Answer: `done`,
/// `conflict`, or `late` if a new record must not be written any more.
const WRITE_ONE: &str = r"
local stored, expect = redis.pcall('GET', KEYS[1]), ARGV[1]
if expect == '-' then
  if stored then return 'conflict' end
elseif expect ~= '*' then
  -- What is no string, because another program has put it there, is not the record that is expected.
  if type(stored) ~= 'string' then return 'conflict' end
  if string.sub(redis.sha1hex(stored), 1, 32) ~= expect then return 'conflict' end
end
if ARGV[3] == 'd' then
  redis.call('DEL', KEYS[1])
  return 'done'
end
if not stored then
  local time = redis.call('TIME')
  if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[2]) then return 'late' end
end
redis.call('SET', KEYS[1], string.sub(ARGV[3], 2))
return 'done'
";

/// Adds to the index of records that lie by themselves.
///
/// Keys: the index; what was added to it lately. Arguments: the grace in milliseconds; then ids, each
/// after an `f` to add it as a new one in any case, or an `m` only if it is missing. Answer: the time; how
/// many ids were there before; then for each id 1 if it was added.
const ADD: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {now, redis.call('ZCARD', KEYS[1])}
for i = 2, #ARGV do
  local id = string.sub(ARGV[i], 2)
  local added = redis.call('ZADD', KEYS[1], 'NX', 0, id)
  if added == 1 or string.sub(ARGV[i], 1, 1) == 'f' then
    added = 1
    redis.call('ZADD', KEYS[2], now, id)
  end
  answer[1 + i] = added
end
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[1]), 'LIMIT', 0, 2 * #ARGV)
for _, id in ipairs(old) do
  redis.call('ZREM', KEYS[2], id)
end
return answer
";

/// Removes from the index of records that lie by themselves what has had no record for long.
///
/// Keys: the index; what was added to it lately. Arguments: when the index was read, and the grace, in
/// milliseconds; then ids. Answer: how many were removed.
const FORGET: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local read, grace = tonumber(ARGV[1]), tonumber(ARGV[2])
local removed = 0
if now > read + grace / 4 then
  return removed
end
for i = 3, #ARGV do
  local added = redis.call('ZSCORE', KEYS[2], ARGV[i])
  if not added or tonumber(added) < read - grace then
    removed = removed + redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  end
end
return removed
";

/// Removes from the index of a space's records what has no record.
///
/// Keys: the index; then records. Arguments: their ids. Answer: how many were removed.
const FORGET_IN_SPACE: &str = r"
local removed = 0
for i = 1, #ARGV do
  if redis.call('EXISTS', KEYS[1 + i]) == 0 then
    removed = removed + redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return removed
";

/// Adds to the index of a space's records those that are there.
///
/// Keys: the types of the space; the index; then records. Arguments: the type; then the records' ids. Answer:
/// how many records there are.
const ADD_IN_SPACE: &str = r"
local there = 0
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    there = there + 1
    redis.call('ZADD', KEYS[2], 0, ARGV[i - 1])
  end
end
if there > 0 then
  redis.call('SADD', KEYS[1], ARGV[1])
end
return there
";

/// A script, and the digest by which servers know it.
#[derive(Debug)]
pub(crate) struct Script {
    text: &'static str,
    digest: String,
}

/// How a script is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Digest,
    /// With its text, which the server then remembers.
    Text,
}

impl Script {
    fn new(text: &'static str) -> Self {
        let mut digest = String::new();
        for byte in Sha1::digest(text) {
            for half in [byte >> 4, byte & 15] {
                digest.extend(char::from_digit(half.into(), 16));
            }
        }
        Self { text, digest }
    }

    /// A call, to which the keys and the arguments are still to be added.
    pub(crate) fn call(&self, form: Form, keys: usize) -> Cmd {
        let mut command = match form {
            Form::Digest => redis::cmd("EVALSHA"),
            Form::Text => redis::cmd("EVAL"),
        };
        match form {
            Form::Digest => command.arg(&self.digest),
            Form::Text => command.arg(self.text),
        };
        command.arg(keys);
        command
    }
}

#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) write: Script,
    pub(crate) write_one: Script,
    pub(crate) add: Script,
    pub(crate) add_in_space: Script,
    pub(crate) forget: Script,
    pub(crate) forget_in_space: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            write: Script::new(WRITE),
            write_one: Script::new(WRITE_ONE),
            add: Script::new(ADD),
            add_in_space: Script::new(ADD_IN_SPACE),
            forget: Script::new(FORGET),
            forget_in_space: Script::new(FORGET_IN_SPACE),
        }
    }
}

/// Sends units that call scripts: by their digests, and once more with the text where a server does
/// not know it, as after a restart. A server that does not know a script has done nothing.
pub(crate) async fn send(
    servers: &Servers,
    effect: Effect,
    count: usize,
    unit: impl Fn(usize, Form) -> Unit,
) -> Vec<Answers> {
    let units = (0..count).map(|n| unit(n, Form::Digest)).collect();
    let mut answers = servers.send(units, effect).await;
    let unknown: Vec<usize> = (0..answers.len())
        .filter(|&n| answers[n].as_ref().is_err_and(|failure| failure.is("NOSCRIPT")))
        .collect();
    if !unknown.is_empty() {
        let units = unknown.iter().map(|&n| unit(n, Form::Text)).collect();
        let again = servers.send(units, effect).await;
        for (n, answer) in unknown.into_iter().zip(again) {
            answers[n] = answer;
        }
    }
    answers
}

/// [`send`] for one unit.
pub(crate) async fn send_one(
    servers: &Servers,
    effect: Effect,
    unit: impl Fn(Form) -> Unit,
) -> Result<Vec<redis::Value>, Failure> {
    let mut answers = send(servers, effect, 1, |_, form| unit(form)).await;
    answers.pop().unwrap_or_else(|| Ok(Vec::new()))
}

//! The scripts of the adapter.

use crate::server::Script;

/// Writes of one space under their expectations.
///
/// Keys: the types of the space; the record of each write; the indexes. Arguments: `a` for all or
/// nothing, `e` for each write by itself; the number of writes; how many records to read at once;
/// the type of each index; then of each write the expectation (`*` for anything, `-` for nothing,
/// otherwise the revision), the number of its index, negative to delete, its id, and the value.
/// Answer: how many types are new; then for each write 1 if its expectation held, 0 if not, or the
/// type of what another program has stored in its place.
///
/// It checks the types of all indexes first, so that a key of another program does not stop it half
/// way. A full memory refuses the first command that writes, so puts come before deletes.
///
/// A command costs a script about a microsecond, so there is one for many records, as many as fit
/// on Lua's stack.
const WRITE: &str = r"
local call, sha, sub = redis.call, redis.sha1hex, string.sub
local count, at_once = tonumber(ARGV[2]), tonumber(ARGV[3])
local answer, failed = {0}, false
for i = 1, #KEYS do
  if i == 1 or i > 1 + count then
    local found = call('TYPE', KEYS[i]).ok
    if found ~= 'none' and found ~= (i == 1 and 'set' or 'zset') then
      return redis.error_reply('WRONGTYPE an index is no ' .. (i == 1 and 'set' or 'sorted set'))
    end
  end
end
-- The arguments of write i stand behind this and 4 * i.
local before = #KEYS - count - 2
for first = 1, count, at_once do
  local last = math.min(first + at_once - 1, count)
  local records = call('MGET', unpack(KEYS, 1 + first, 1 + last))
  for i = first, last do
    local expect, stored, held = ARGV[before + 4 * i + 1], records[i - first + 1], 1
    if expect ~= '*' then
      if stored then
        held = sub(sha(stored), 1, 32) == expect and 1 or 0
      else
        -- There is nothing for a key of another type, too.
        local found = call('TYPE', KEYS[1 + i]).ok
        held = found ~= 'none' and found or expect == '-' and 1 or 0
      end
    end
    answer[1 + i] = held
    failed = failed or held ~= 1
  end
end
if failed and ARGV[1] == 'a' then
  return answer
end
local puts, deletes, added, removed = {}, {}, {}, {}
for i = 1, count do
  if answer[1 + i] == 1 then
    local at = before + 4 * i
    local index, id = tonumber(ARGV[at + 2]), ARGV[at + 3]
    local ids = index > 0 and added or removed
    index = math.abs(index)
    ids[index] = ids[index] or {}
    if ids == added then
      puts[#puts + 1] = KEYS[1 + i]
      puts[#puts + 1] = ARGV[at + 4]
      table.insert(ids[index], 0)
    else
      deletes[#deletes + 1] = KEYS[1 + i]
    end
    table.insert(ids[index], id)
  end
end
local function each(list, command, key)
  for i = 1, #list, 4000 do
    local last = math.min(i + 3999, #list)
    if key then
      call(command, key, unpack(list, i, last))
    else
      call(command, unpack(list, i, last))
    end
  end
end
each(puts, 'MSET')
for index, ids in pairs(added) do
  each(ids, 'ZADD', KEYS[1 + count + index])
  answer[1] = answer[1] + call('SADD', KEYS[1], ARGV[3 + index])
end
each(deletes, 'DEL')
for index, ids in pairs(removed) do
  each(ids, 'ZREM', KEYS[1 + count + index])
end
return answer
";

/// One record that is placed by key.
///
/// Key: the record. Arguments: the expectation; until when, in milliseconds of the server's clock,
/// the index is certain to have its key, or 0; the value, or no third argument to delete. Answer:
/// `done`, `conflict`, `late` if it is too late to write a new record, or after `is ` the type of
/// what another program has stored in its place.
const WRITE_ONE: &str = r"
local stored, expect = redis.pcall('GET', KEYS[1]), ARGV[1]
if type(stored) == 'table' and expect ~= '*' then
  return 'is ' .. redis.call('TYPE', KEYS[1]).ok
end
if expect == '-' then
  if stored then return 'conflict' end
elseif expect ~= '*' then
  if not stored then return 'conflict' end
  if string.sub(redis.sha1hex(stored), 1, 32) ~= expect then return 'conflict' end
end
if not ARGV[3] then
  redis.call('DEL', KEYS[1])
  return 'done'
end
if not stored then
  local time = redis.call('TIME')
  if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[2]) then return 'late' end
end
redis.call('SET', KEYS[1], ARGV[3])
return 'done'
";

/// Adds to the index of records that are placed by key.
///
/// Keys: the index; what was added to it lately. Arguments: the grace in milliseconds; then ids,
/// each after an `f` to add it as a new one in any case, or an `m` to add it only if it is missing.
/// Answer: the time; how many entries there were before; then for each id 1 if it was added.
///
/// The entry without an id in the second list says since when the list is complete.
const ADD: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {now, redis.call('ZCARD', KEYS[1])}
redis.call('ZADD', KEYS[2], 'NX', now, '')
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
  if id ~= '' then redis.call('ZREM', KEYS[2], id) end
end
return answer
";

/// Removes entries that have had no record for long from the index of records that are placed by
/// key.
///
/// Keys: the index; what was added to it lately. Arguments: when the index was read, and the grace,
/// in milliseconds; then ids. Answer: how many it has removed.
const FORGET: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local read, grace = tonumber(ARGV[1]), tonumber(ARGV[2])
local removed = 0
if now > read + grace / 4 then
  return removed
end
-- A list that was lost does not show what was added lately.
local since = redis.call('ZSCORE', KEYS[2], '')
if not since or tonumber(since) >= read - grace then
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

/// Removes entries without a record from the index of a space's records.
///
/// Keys: the index; then records. Arguments: their ids. Answer: how many it has removed.
const FORGET_IN_SPACE: &str = r"
local removed = 0
for i = 1, #ARGV do
  if redis.call('EXISTS', KEYS[1 + i]) == 0 then
    removed = removed + redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return removed
";

/// Adds the records that exist to the index of a space's records.
///
/// Keys: the index; then records. Arguments: the records' ids. Answer: how many records exist.
const ADD_IN_SPACE: &str = r"
local there = 0
for i = 1, #ARGV do
  if redis.call('EXISTS', KEYS[1 + i]) == 1 then
    there = there + 1
    redis.call('ZADD', KEYS[1], 0, ARGV[i])
  end
end
return there
";

/// Enters types of records of a space.
///
/// Keys: the types of the space; then the index of each type, if it lies with them. Arguments: 1 if
/// the space is new, otherwise 0; then types. Answer: for each type 1 if it is certain to be new.
const ENTER: &str = r"
if ARGV[1] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SADD', KEYS[1], '/')
end
local complete = redis.call('SISMEMBER', KEYS[1], '/') == 1
local answer = {}
for i = 2, #ARGV do
  local new = redis.call('SADD', KEYS[1], ARGV[i]) == 1 and complete
  if new and KEYS[i] and redis.call('EXISTS', KEYS[i]) == 0 then
    redis.call('ZADD', KEYS[i], 0, '')
  end
  answer[i - 1] = new and 1 or 0
end
return answer
";

/// Marks the index of a new type, if there is none yet.
///
/// Key: the index. Answer: whether it was marked.
const MARK_NEW: &str = r"
return redis.call('EXISTS', KEYS[1]) == 0 and redis.call('ZADD', KEYS[1], 0, '') or 0
";

/// Begins to rebuild an index: its mark gets the score of the rebuild, unless it is complete.
///
/// Key: the index. Argument: a negative score.
const CLAIM: &str = r"
local score = redis.call('ZSCORE', KEYS[1], '')
if not score or tonumber(score) < 0 then
  redis.call('ZADD', KEYS[1], ARGV[1], '')
end
return 1
";

/// Marks an index as complete, if it was not lost since the rebuild began.
///
/// Key: the index. Argument: the score of the rebuild.
const COMPLETE: &str = r"
local score = redis.call('ZSCORE', KEYS[1], '')
if score and tonumber(score) == tonumber(ARGV[1]) then
  redis.call('ZADD', KEYS[1], 0, '')
end
return 1
";

/// Adds entries to a list, and its mark if it was not lost since it was claimed.
///
/// Key: the list. Arguments: the claim; the mark; then entries.
const COMPLETE_LIST: &str = r"
for i = 3, #ARGV do
  redis.call('SADD', KEYS[1], ARGV[i])
end
if redis.call('SREM', KEYS[1], ARGV[1]) == 1 then
  redis.call('SADD', KEYS[1], ARGV[2])
end
return 1
";

/// The scripts, with their digests.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) write: Script,
    pub(crate) write_one: Script,
    pub(crate) enter: Script,
    pub(crate) mark_new: Script,
    pub(crate) claim: Script,
    pub(crate) complete: Script,
    pub(crate) complete_list: Script,
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
            enter: Script::new(ENTER),
            mark_new: Script::new(MARK_NEW),
            claim: Script::new(CLAIM),
            complete: Script::new(COMPLETE),
            complete_list: Script::new(COMPLETE_LIST),
            add: Script::new(ADD),
            add_in_space: Script::new(ADD_IN_SPACE),
            forget: Script::new(FORGET),
            forget_in_space: Script::new(FORGET_IN_SPACE),
        }
    }
}

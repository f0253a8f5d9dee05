"""What must be atomic in Redis, as Lua.

A roster is a hash: field ``v`` holds its version, ``u<user>`` holds ``node,node\\n<info>``. Its version starts at the
server's time in microseconds, so that a roster made anew counts on above its predecessor. All keys of a script and the
channel it publishes to share a hash tag, so each also runs on a cluster. A change and its announcement are one step:
whoever reads version N has seen, or will see, exactly the changes above N.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_ROSTER = r"""
local roster, node, out = KEYS[1], ARGV[1], ARGV[2]
local function version()
  local v = redis.call('HGET', roster, 'v')
  if v then return v end
  local t = redis.call('TIME')
  v = string.format('%.0f', t[1] * 1000000 + t[2])
  redis.call('HSET', roster, 'v', v)
  return v
end
local function bump()
  version()
  return string.format('%.0f', redis.call('HINCRBY', roster, 'v', 1))
end
local function split(value)
  local cut = string.find(value, '\n', 1, true)
  return string.sub(value, 1, cut - 1), string.sub(value, cut + 1)
end
local function leave(field)
  local value = redis.call('HGET', roster, field)
  if not value then return end
  local nodes, info = split(value)
  local left, found = {}, false
  for each in string.gmatch(nodes, '[^,]+') do
    if each == node then found = true else left[#left + 1] = each end
  end
  if not found then return end
  if #left > 0 then
    redis.call('HSET', roster, field, table.concat(left, ',') .. '\n' .. info)
  else
    redis.call('HDEL', roster, field)
    redis.call('PUBLISH', out, '-' .. bump() .. '\n' .. string.sub(field, 2))
  end
end
"""

# KEYS roster; ARGV node, announcement channel, limit, number of joins, (user, info)..., leaver...
_UPDATE_ROSTER = (
    _ROSTER
    + r"""
local limit, joins = tonumber(ARGV[3]), tonumber(ARGV[4])
for i = 5 + 2 * joins, #ARGV do leave('u' .. ARGV[i]) end
version()
local refused = {}
for i = 5, 3 + 2 * joins, 2 do
  local user, info = ARGV[i], ARGV[i + 1]
  local value = redis.call('HGET', roster, 'u' .. user)
  if value then
    local nodes, known = split(value)
    if not string.find(',' .. nodes .. ',', ',' .. node .. ',', 1, true) then
      redis.call('HSET', roster, 'u' .. user, nodes .. ',' .. node .. '\n' .. known)
    end
  elseif redis.call('HLEN', roster) - 1 >= limit then
    refused[#refused + 1] = user
  else
    redis.call('HSET', roster, 'u' .. user, node .. '\n' .. info)
    redis.call('PUBLISH', out, '+' .. bump() .. '\n' .. user .. '\n' .. info)
  end
end
local reached = version()
if redis.call('HLEN', roster) == 1 then redis.call('DEL', roster) end
return {reached, unpack(refused)}
"""
)

# KEYS roster; ARGV node, announcement channel. Two reapers at once are harmless: the second finds nothing.
_REAP_ROSTER = (
    _ROSTER
    + r"""
for _, field in ipairs(redis.call('HKEYS', roster)) do
  if string.sub(field, 1, 1) == 'u' then leave(field) end
end
if redis.call('HLEN', roster) == 1 then redis.call('DEL', roster) end
"""
)

# KEYS nodes; ARGV node, milliseconds after which a silent node is dead. Answers whether this node was not on the list,
# the dead, and the others. The server's clock is the only one that counts.
_HEARTBEAT = r"""
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local new = redis.call('ZADD', KEYS[1], now, ARGV[1])
local limit = now - tonumber(ARGV[2])
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', limit)
return {new, dead, redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. limit, '+inf')}
"""

# KEYS nodes; ARGV milliseconds after which a silent node is dead. Answers those that are not.
_ALIVE = r"""
local t = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(ARGV[1]), '+inf')
"""

# A log is a string, ``{epoch}-{n}``, and a list of its newest payloads. The epoch carries part of the server's replication
# id, which is another one after every restart and failover: a replica that was promoted may have missed events, and
# would count on from too low a number.
_LOG = r"""
local head, events = KEYS[1], KEYS[2]
local server = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x%x%x%x%x%x%x%x)')
local epoch, last = string.match(redis.call('GET', head) or '', '^(.*)-(%d+)$')
last = tonumber(last)
if not epoch or string.sub(epoch, -8) ~= server then
  local t = redis.call('TIME')
  epoch, last = string.format('%.0f', t[1] * 1000000 + t[2]) .. server, 0
  redis.call('DEL', events)
end
local function position() return epoch .. '-' .. string.format('%.0f', last) end
"""

# KEYS head, events; ARGV milliseconds to keep the head, channel, payload, number of events to keep, milliseconds to.
_APPEND = (
    _LOG
    + r"""
last = last + 1
redis.call('SET', head, position(), 'PX', ARGV[1])
redis.call('RPUSH', events, ARGV[3])
redis.call('LTRIM', events, -tonumber(ARGV[4]), -1)
redis.call('PEXPIRE', events, ARGV[5])
redis.call('PUBLISH', ARGV[2], '#' .. position() .. '\n' .. ARGV[3])
"""
)

# KEYS head, events; ARGV milliseconds to keep the head, epoch and number after which events are asked for (or an empty
# epoch). Answers epoch, last number, whether all that followed is there, and that.
_HISTORY = (
    _LOG
    + r"""
redis.call('SET', head, position(), 'PX', ARGV[1])
local missed = last - tonumber(ARGV[3])
if ARGV[2] ~= epoch or missed < 0 then return {epoch, last, 0, {}} end
if missed == 0 then return {epoch, last, 1, {}} end
local found = redis.call('LRANGE', events, -missed, -1)
if #found < missed then return {epoch, last, 0, {}} end
return {epoch, last, 1, found}
"""
)

# A census is a hash, name to ``node,node``, and a set per node of the names it holds.
_CENSUS = r"""
local census, held, node = KEYS[1], KEYS[2], ARGV[1]
local last = {}
local function leave(name)
  local left, found = {}, false
  for each in string.gmatch(redis.call('HGET', census, name) or '', '[^,]+') do
    if each == node then found = true else left[#left + 1] = each end
  end
  if not found then return end
  if #left > 0 then
    redis.call('HSET', census, name, table.concat(left, ','))
  else
    redis.call('HDEL', census, name)
    last[#last + 1] = name
  end
end
"""

# KEYS census, names held by the node; ARGV node, number of joins, joined name..., left name...
_UPDATE_CENSUS = (
    _CENSUS
    + r"""
local first, joins = {}, tonumber(ARGV[2])
for i = 3 + joins, #ARGV do
  redis.call('SREM', held, ARGV[i])
  leave(ARGV[i])
end
for i = 3, 2 + joins do
  local name = ARGV[i]
  local nodes = redis.call('HGET', census, name)
  redis.call('SADD', held, name)
  if not nodes then
    redis.call('HSET', census, name, node)
    first[#first + 1] = name
  elseif not string.find(',' .. nodes .. ',', ',' .. node .. ',', 1, true) then
    redis.call('HSET', census, name, nodes .. ',' .. node)
  end
end
return {first, last}
"""
)

# KEYS census, names held by the node; ARGV node, how many names at once. Answers whether there are more, and the names
# that nobody holds now.
_REAP_CENSUS = (
    _CENSUS
    + r"""
for _, name in ipairs(redis.call('SPOP', held, ARGV[2])) do leave(name) end
return {redis.call('EXISTS', held), last}
"""
)


@dataclass(frozen=True, slots=True)
class Script:
    text: str
    sha: str


class Scripts:
    """All of them, publishing with this command."""

    def __init__(self, publish: str) -> None:
        def script(text: str) -> Script:
            text = text.replace("'PUBLISH'", f"'{publish}'")
            return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())

        self.update_roster = script(_UPDATE_ROSTER)
        self.reap_roster = script(_REAP_ROSTER)
        self.heartbeat = script(_HEARTBEAT)
        self.alive = script(_ALIVE)
        self.append = script(_APPEND)
        self.history = script(_HISTORY)
        self.update_census = script(_UPDATE_CENSUS)
        self.reap_census = script(_REAP_CENSUS)

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(script.text for script in vars(self).values())

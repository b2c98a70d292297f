/**
 * The scripts by which presence changes in Redis: each is about one shard, and changes one user at a time, all at once.
 *
 * KEYS[1] is the shard's prefix, `parley:{p7}`: its hash tag puts all keys of a shard into one slot of a cluster, those too
 * that a script can only name once it has read others.
 *
 *   :u:<user>   hash   one user (below); gone once their being offline was told
 *   :on         zset   ids of those who are online, away or busy, all with score 0: paged by name
 *   :r:<room>   zset   ids of those with a session in the room, score 0
 *   :rc         hash   room → sessions in it
 *   :n:<node>   hash   session → `<hash> <user>`: what this gateway has told of
 *   :nodes      hash   `c:<node>` how many sessions, `s:<node>` the sum of their hashes
 *   :leaving    zset   ids of those without a session, by when they count as gone
 *   :untold     zset   ids of those whose change was not told yet, by when it happened
 *   :v          number given to each change, to tell a later one from the one that was told
 *
 * A user: `name`, `guest`; `now` (online, away, busy; empty: offline) and `text`; `told`, `toldText`, `toldLabel` (guest and name):
 * what was told last (`told` is `?` while that is not known); `v`; `n`: sessions; `choice`, `chosenText`, `chosenAt`: by SetStatus; `rooms`: JSON of the rooms they were in
 * when the last session ended; `entered`: JSON of rooms entered since the last telling; `seen`: when the last session ended;
 * and `s:<session>`: JSON {n: node, h: hash, i: idle, r: rooms} for each session.
 */

/** What the scripts share: reading a user, and what follows from a change of their sessions. */
const common = `
local p = KEYS[1]

local function load(id)
  local flat = redis.call('HGETALL', p .. ':u:' .. id)
  local u = {}
  for i = 1, #flat, 2 do u[flat[i]] = flat[i + 1] end
  if u.name then u.label = u.guest .. u.name end
  return u
end

local function labelOf(u) return u.guest .. u.name end

-- Sessions, how many are not idle, and how many are in each room.
local function survey(u)
  local count, active, rooms = 0, 0, {}
  for field, value in pairs(u) do
    if string.sub(field, 1, 2) == 's:' then
      local s = cjson.decode(value)
      count = count + 1
      if s.i == 0 then active = active + 1 end
      for _, room in ipairs(s.r) do rooms[room] = (rooms[room] or 0) + 1 end
    end
  end
  return count, active, rooms
end

local function names(rooms)
  local list = {}
  for room in pairs(rooms) do list[#list + 1] = room end
  return list
end

local function listJson(list)
  if #list == 0 then return '[]' end
  return cjson.encode(list)
end

local function unlist(node, session, hash)
  redis.call('HDEL', p .. ':n:' .. node, session)
  redis.call('HINCRBY', p .. ':nodes', 's:' .. node, -hash)
  if redis.call('HINCRBY', p .. ':nodes', 'c:' .. node, -1) <= 0 then
    redis.call('HDEL', p .. ':nodes', 'c:' .. node, 's:' .. node)
  end
end

-- Sets one session to 'state' (JSON; empty: it ended), and all that follows. graceMs 0: an ended one counts at once.
local function change(id, u, session, state, graceMs, nowMs)
  local key = p .. ':u:' .. id
  local _, _, before = survey(u)
  local field = 's:' .. session
  local known = u[field]
  if known then
    local s = cjson.decode(known)
    unlist(s.n, session, s.h)
  end
  if state == '' then
    if known then redis.call('HDEL', key, field) end
    u[field] = nil
  else
    local s = cjson.decode(state)
    redis.call('HSET', p .. ':n:' .. s.n, session, s.h .. ' ' .. id)
    redis.call('HINCRBY', p .. ':nodes', 'c:' .. s.n, 1)
    redis.call('HINCRBY', p .. ':nodes', 's:' .. s.n, s.h)
    redis.call('HSET', key, field, state)
    u[field] = state
  end

  local count, active, after = survey(u)
  local entered = {}
  for room, sessions in pairs(after) do
    local more = sessions - (before[room] or 0)
    if more ~= 0 then redis.call('HINCRBY', p .. ':rc', room, more) end
    if not before[room] then
      redis.call('ZADD', p .. ':r:' .. room, 0, id)
      entered[#entered + 1] = room
    end
  end
  for room, sessions in pairs(before) do
    if not after[room] then
      if redis.call('HINCRBY', p .. ':rc', room, -sessions) <= 0 then redis.call('HDEL', p .. ':rc', room) end
      redis.call('ZREM', p .. ':r:' .. room, id)
    end
  end

  local now = u.now or ''
  local text = u.text or ''
  if count > 0 then
    redis.call('ZREM', p .. ':leaving', id)
    now = 'online'
    if u.choice == 'away' or u.choice == 'busy' then now = u.choice
    elseif active == 0 then now = 'away' end
    text = u.chosenText or ''
  elseif now ~= '' then
    if known then redis.call('HSET', key, 'rooms', listJson(names(before)), 'seen', nowMs)
    elseif not u.seen then redis.call('HSET', key, 'seen', nowMs) end
    if graceMs > 0 then
      -- A session that had ended already does not prolong it.
      if known or not redis.call('ZSCORE', p .. ':leaving', id) then
        redis.call('ZADD', p .. ':leaving', nowMs + graceMs, id)
      end
    else
      redis.call('ZREM', p .. ':leaving', id)
      now = ''
      text = ''
    end
  end

  if now ~= '' then redis.call('ZADD', p .. ':on', 0, id) else redis.call('ZREM', p .. ':on', id) end
  redis.call('HSET', key, 'name', u.name, 'guest', u.guest, 'now', now, 'text', text, 'n', count)
  if #entered > 0 and now ~= '' then
    local all = u.entered and cjson.decode(u.entered) or {}
    for _, room in ipairs(entered) do all[#all + 1] = room end
    redis.call('HSET', key, 'entered', listJson(all))
  end
  if now ~= (u.now or '') or text ~= (u.text or '') or u.label ~= labelOf(u) or (#entered > 0 and now ~= '') then
    redis.call('HSET', key, 'v', redis.call('INCR', p .. ':v'))
  end
  if #entered == 0 and not u.entered and now == (u.told or '') and text == (u.toldText or '')
      and (now == '' or labelOf(u) == u.toldLabel) then
    redis.call('ZREM', p .. ':untold', id)
    if now == '' then redis.call('DEL', key) end
    return 0
  end
  redis.call('ZADD', p .. ':untold', 'NX', nowMs, id)
  return 1
end
`;

/**
 * One session as it is now. ARGV: user, name, guest (0 or 1), session, state, choice, text, chosenAt (0: none chosen), now.
 * Answers 1 when there is something to tell.
 */
export const putSession = `${common}
local id, nowMs = ARGV[1], tonumber(ARGV[9])
local u = load(id)
u.name, u.guest = ARGV[2], ARGV[3]
if tonumber(ARGV[8]) > tonumber(u.chosenAt or '0') then
  u.choice, u.chosenText, u.chosenAt = ARGV[6], ARGV[7], ARGV[8]
  redis.call('HSET', p .. ':u:' .. id, 'choice', u.choice, 'chosenText', u.chosenText, 'chosenAt', u.chosenAt)
end
return change(id, u, ARGV[4], ARGV[5], 0, nowMs)
`;

/**
 * One session that ended. ARGV: user, name, guest, session, graceMs, now. Somebody who is not known at all (Redis lost its
 * data) is taken to have been online, so that others are told. Answers 1 when there is something to tell.
 */
export const endSession = `${common}
local id, nowMs = ARGV[1], tonumber(ARGV[6])
local u = load(id)
if not u.name then
  if ARGV[2] == '' then return 0 end
  u.name, u.guest, u.now, u.told = ARGV[2], ARGV[3], 'online', 'online'
  u.label = labelOf(u)
  u.toldLabel = u.label
  redis.call('HSET', p .. ':u:' .. id, 'told', 'online', 'toldLabel', u.label)
end
return change(id, u, ARGV[4], '', tonumber(ARGV[5]), nowMs)
`;

/** Those whose grace is over count as gone. ARGV: now, how many at most. Answers how many changes wait to be told. */
export const endGraces = `${common}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', p .. ':leaving', '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local u = load(id)
  if u.name then change(id, u, '', '', 0, tonumber(ARGV[1])) else redis.call('ZREM', p .. ':leaving', id) end
end
return redis.call('ZCARD', p .. ':untold')
`;

/**
 * What waits to be told, oldest first. What was told last becomes `?` until the telling is noted: a worker may die in between,
 * and nobody then knows whether it was told. ARGV: how many at most. Answers JSON texts:
 * [id, v, name, guest, now, text, told, sessions, seen, rooms, entered, whether all but the rooms is as it was told].
 */
export const untold = `${common}
local answer = {}
for _, id in ipairs(redis.call('ZRANGE', p .. ':untold', 0, ARGV[1] - 1)) do
  local u = load(id)
  if not u.name then
    redis.call('ZREM', p .. ':untold', id)
  else
    local count, _, rooms = survey(u)
    local same = u.now == u.told and u.text == u.toldText and labelOf(u) == u.toldLabel
    local roomsJson = count > 0 and listJson(names(rooms)) or u.rooms or '[]'
    answer[#answer + 1] = '[' .. cjson.encode(id) .. ',' .. (u.v or '0') .. ',' .. cjson.encode(u.name) .. ',' .. u.guest .. ',"'
      .. u.now .. '",' .. cjson.encode(u.text) .. ',"' .. (u.told or '') .. '",' .. count .. ',' .. (u.seen or '0') .. ','
      .. roomsJson .. ',' .. (u.entered or '[]') .. ',' .. tostring(same) .. ']'
    if not same then redis.call('HSET', p .. ':u:' .. id, 'told', '?') end
  end
end
return answer
`;

/**
 * These were told. ARGV: now, then for each user: id, v, what was told (online, away, busy; empty: offline), name, guest,
 * rooms. One who has changed since is told again; so is one who is gone by now and was told to be here, which happens when
 * a worker was stopped in between.
 */
export const told = `${common}
for i = 2, #ARGV, 6 do
  local id, status = ARGV[i], ARGV[i + 2]
  local key = p .. ':u:' .. id
  local v = redis.call('HGET', key, 'v')
  if v == ARGV[i + 1] then
    redis.call('ZREM', p .. ':untold', id)
    if status == '' then
      redis.call('DEL', key)
    else
      local now = redis.call('HMGET', key, 'text', 'guest', 'name')
      redis.call('HSET', key, 'told', status, 'toldText', now[1], 'toldLabel', now[2] .. now[3])
      redis.call('HDEL', key, 'entered')
    end
  elseif v then
    redis.call('HSET', key, 'told', status)
    redis.call('ZADD', p .. ':untold', 'NX', ARGV[1], id)
  elseif status ~= '' then
    redis.call('HSET', key, 'name', ARGV[i + 3], 'guest', ARGV[i + 4], 'now', '', 'text', '', 'told', status, 'n', 0,
      'rooms', ARGV[i + 5], 'v', redis.call('INCR', p .. ':v'))
    redis.call('ZADD', p .. ':untold', 'NX', ARGV[1], id)
  end
end
return 0
`;

/** Where users are: for each id of ARGV the nodes of its sessions, one for each session. */
export const nodesOf = `${common}
local answer = {}
for i, id in ipairs(ARGV) do
  local nodes = {}
  for field, value in pairs(load(id)) do
    if string.sub(field, 1, 2) == 's:' then nodes[#nodes + 1] = cjson.decode(value).n end
  end
  answer[i] = nodes
end
return answer
`;

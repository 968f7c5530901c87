-- Claims the keys of a batch of posts, one post after the other, as pipeline/indexes/memory.py does.
--
-- KEYS[1]  what all our keys start with
-- ARGV[1]  MessagePack: window, life, age (ms), exact, bands, sketch (keys and bytes a post), enough
--          (sketch values that must agree), restore
-- ARGV[2]  event times, a big-endian double each, in ms
-- ARGV[3]  keys, 8 bytes each: id, exact ones, bands; all bytes 0 where a post has none
-- ARGV[4]  authors, 8 bytes each; all bytes 0 if unknown
-- ARGV[5]  sketches
-- ARGV[6…] ids, then with restore the groups
--
-- Gives, post after post: group, owner (or nothing), sketch values that agree (255: copy), echo (0, 1).
--
-- Everything lives in ages, stretches of stream time as long as a claim lives, and goes with its age:
-- two of them are alive in a steady stream. A key is looked for in the newest age first: who takes a
-- key over is never of an older age. Within an age a post is a number; <age>:k<2 bytes of a key> are
-- small hashes from the rest of a key to the number of its owner, <age>:r<n> strings of 256 records,
-- <age>:n<n> small hashes of 64 posts' names.

local RECORDS, NAMES, BUCKETS, COPY = 256, 64, 65536, 255
local NEVER, NO_KEY = -1e18, string.rep('\0', 8)
-- Keys of a past age that one call removes: about a millisecond.
local REMOVED_A_CALL, REMOVED_AT_ONCE = 2048, 512

local prefix = KEYS[1]
local head = cmsgpack.unpack(ARGV[1])
local width = 26 + head.sketch
local count = #ARGV[2] / 8
local at, now -- of the post at work

local state = redis.call('GET', KEYS[1] .. 'state')
if state then
  state = cmsgpack.unpack(state)
else
  -- What a server that lost only the state still holds must not be taken for ours.
  local time = redis.call('TIME')
  state = {run = time[1] .. '.' .. time[2], mark = NEVER, last = NEVER, before = NEVER, seq = 0,
    ages = {}, past = {}}
end
prefix = prefix .. state.run .. ':'

-- ---- ages

local records = {} -- seen in this call, by age and number

local function known(age)
  age.prefix = prefix .. age.number .. ':'
  records[age.number] = {}
end

for _, age in ipairs(state.ages) do known(age) end

local function age_of(stamp)
  local number = math.floor(stamp / head.age)
  for i, age in ipairs(state.ages) do
    if age.number == number then return age end
    if age.number < number then
      local new = {number = number, posts = 0}
      table.insert(state.ages, i, new)
      known(new)
      return new
    end
  end
  local new = {number = number, posts = 0}
  table.insert(state.ages, new)
  known(new)
  return new
end

local function retire()
  local oldest = state.ages[#state.ages]
  while oldest and (oldest.number + 1) * head.age + head.life < now do
    table.remove(state.ages)
    table.insert(state.past, {number = oldest.number, posts = oldest.posts, done = 0})
    oldest = state.ages[#state.ages]
  end
end

local function name_of_part(past, number)
  local start = prefix .. past.number .. ':'
  if number < BUCKETS then
    return start .. 'k' .. string.char(math.floor(number / 256), number % 256)
  end
  number = number - BUCKETS
  local chunks = math.ceil(past.posts / RECORDS)
  if number < chunks then return start .. 'r' .. number end
  return start .. 'n' .. (number - chunks)
end

local function remove_past()
  local past = state.past[1]
  if not past then return end
  local parts = BUCKETS + math.ceil(past.posts / RECORDS) + math.ceil(past.posts / NAMES)
  local last = math.min(parts, past.done + REMOVED_A_CALL)
  while past.done < last do
    local names = {}
    for number = past.done, math.min(last, past.done + REMOVED_AT_ONCE) - 1 do
      names[#names + 1] = name_of_part(past, number)
    end
    redis.call('UNLINK', unpack(names))
    past.done = past.done + #names
  end
  if past.done >= parts then table.remove(state.past, 1) end
end

-- ---- posts

local function record(age, number)
  local seen = records[age.number]
  local found = seen[number]
  if found ~= nil then return found end
  local offset = (number % RECORDS) * width
  local chunk = age.prefix .. 'r' .. math.floor(number / RECORDS)
  local bytes = redis.call('GETRANGE', chunk, offset, offset + width - 1)
  found = false
  -- The server may have thrown it away, or all of it: then nobody owns what it owned.
  if #bytes == width and string.byte(bytes, 26) ~= 0 then
    found = {age = age, number = number, agreed = string.byte(bytes, 25)}
    found.at, found.ends, found.seq = struct.unpack('>ddd', bytes)
    found.echo = string.byte(bytes, 26) - 1
    found.sketch = {string.byte(bytes, 27, width)}
  end
  seen[number] = found
  return found
end

local function names_of(post)
  local key = post.age.prefix .. 'n' .. math.floor(post.number / NAMES)
  local field = post.number % NAMES
  local names = redis.call('HMGET', key, field, 'g' .. field, 'o' .. field)
  return names[1], names[2] or names[1], names[3]
end

local function find(key)
  local bucket, field = 'k' .. string.sub(key, 1, 2), string.sub(key, 3)
  for _, age in ipairs(state.ages) do
    local number = redis.call('HGET', age.prefix .. bucket, field)
    if number then return record(age, tonumber(number)) end
  end
end

-- The owner of a key as the post at work sees it, and whether that post takes the key.
local function owner_of(key)
  local owner = find(key)
  if not owner or owner.ends < now or at - owner.at > head.window then return nil, true end
  if owner.at - at > head.window then return nil, false end
  return owner, false
end

local function agreement(one, other)
  local agree = 0
  for i = 1, head.sketch do
    if one[i] == other[i] then agree = agree + 1 end
  end
  return agree
end

local function exact_owner(first, claims)
  local owner
  for k = 1, head.exact do
    local key = string.sub(ARGV[3], first + k * 8, first + k * 8 + 7)
    if key ~= NO_KEY then
      local found, free = owner_of(key)
      if free then claims[#claims + 1] = key end
      owner = owner or found
    end
  end
  return owner
end

local function alike_owner(first, claims, sketch)
  local best, agreed, compared = nil, 0, {}
  for k = head.exact + 1, head.exact + head.bands do
    local key = string.sub(ARGV[3], first + k * 8, first + k * 8 + 7)
    if key ~= NO_KEY then
      local found, free = owner_of(key)
      if free then claims[#claims + 1] = key end
      if found and not compared[found.seq] then
        compared[found.seq] = true
        local agree = agreement(sketch, found.sketch)
        if agree > agreed or (agree == agreed and best and found.seq < best.seq) then
          best, agreed = found, agree
        end
      end
    end
  end
  if agreed >= head.enough then return best, agreed end
  return nil, 0
end

local function echo_key(group, author)
  local hex = redis.sha1hex(group .. author)
  local bucket = string.char(tonumber(string.sub(hex, 1, 2), 16), tonumber(string.sub(hex, 3, 4), 16))
  return bucket .. string.sub(hex, 5, 16)
end

-- Whom a new post joins: its group, the owner's name, how many sketch values agree.
local function join(i, id, claims, sketch)
  local first = (i - 1) * (1 + head.exact + head.bands) * 8 + 1
  claims[1] = string.sub(ARGV[3], first, first + 7)
  local owner, agreed = exact_owner(first, claims), COPY
  local alike, alike_agreed = alike_owner(first, claims, sketch)
  if not owner then owner, agreed = alike, alike_agreed end
  if not owner then return id, false, 0 end
  local name, group = names_of(owner)
  -- Nobody any more, or this very post in an attempt that was cut short.
  if not name or name == id then return id, false, 0 end
  return group, name, agreed
end

local function keep(post, id, group, owner, claims)
  local chunk = post.age.prefix .. 'r' .. math.floor(post.number / RECORDS)
  if post.number % RECORDS == 0 then
    -- The whole string at once: one that grows bit by bit takes up to twice its size.
    redis.call('SETRANGE', chunk, RECORDS * width - 1, '\0')
  end
  local data = struct.pack('>ddd', post.at, post.ends, post.seq)
    .. string.char(post.agreed, post.echo + 1, unpack(post.sketch))
  redis.call('SETRANGE', chunk, (post.number % RECORDS) * width, data)
  local names, field = post.age.prefix .. 'n' .. math.floor(post.number / NAMES), post.number % NAMES
  redis.call('HSET', names, field, id)
  if group ~= id then redis.call('HSET', names, 'g' .. field, group) end
  if owner then redis.call('HSET', names, 'o' .. field, owner) end
  for _, key in ipairs(claims) do
    local bucket = post.age.prefix .. 'k' .. string.sub(key, 1, 2)
    redis.call('HSET', bucket, string.sub(key, 3), post.number)
  end
end

local function claim(i, id)
  local stamp, claims = math.max(at, now), {}
  local sketch = {string.byte(ARGV[5], (i - 1) * head.sketch + 1, i * head.sketch)}
  local group, owner, agreed = join(i, id, claims, sketch)
  if head.restore then group = ARGV[5 + count + i] end
  local echo, author = 0, string.sub(ARGV[4], i * 8 - 7, i * 8)
  if author ~= NO_KEY then
    local key = echo_key(group, author)
    local before, free = owner_of(key)
    if before then echo = 1 end
    if free then claims[#claims + 1] = key end
  end
  local age = age_of(stamp)
  state.seq = state.seq + 1
  local post = {age = age, number = age.posts, at = at, ends = stamp + head.life, seq = state.seq,
    agreed = agreed, echo = echo, sketch = sketch}
  age.posts = age.posts + 1
  records[age.number][post.number] = post
  keep(post, id, group, owner, claims)
  return group, owner, agreed, echo
end

-- ---- the batch

local answers = {}
for i = 1, count do
  at = struct.unpack('>d', ARGV[2], i * 8 - 7)
  -- How far the stream has come: two posts in a row that are far ahead do not move it.
  now = math.max(state.mark, math.min(at, state.last, state.before))
  state.mark, state.last, state.before = now, at, state.last
  retire()
  local id = ARGV[5 + i]
  local first = (i - 1) * (1 + head.exact + head.bands) * 8 + 1
  local own = find(string.sub(ARGV[3], first, first + 7))
  local group, owner, agreed, echo
  if own and own.ends >= now then
    local name
    name, group, owner = names_of(own)
    group, agreed, echo = group or id, own.agreed, own.echo
  else
    group, owner, agreed, echo = claim(i, id)
  end
  local n = #answers
  answers[n + 1], answers[n + 2], answers[n + 3], answers[n + 4] = group, owner, agreed, echo
end
remove_past()
for _, age in ipairs(state.ages) do age.prefix = nil end
redis.call('SET', KEYS[1] .. 'state', cmsgpack.pack(state))
return answers

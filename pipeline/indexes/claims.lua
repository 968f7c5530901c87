-- Claims the keys of a batch of posts, one post after the other, as pipeline/indexes/memory.py does.
--
-- KEYS[1]  what all our keys start with
-- ARGV[1]  MessagePack: window, life, age (ms), exact, bands, phrases (keys of each kind a post),
--          restore, and the bounds of pipeline/indexes/alike.py
-- ARGV[2]  event times, a big-endian double each, in ms
-- ARGV[3]  keys, 8 bytes each: id, exact ones, bands, phrases; all bytes 0 where a post has none
-- ARGV[4]  authors, 8 bytes each; all bytes 0 if unknown
-- ARGV[5…] ids, then letters, then with restore the groups
--
-- Gives, post after post: group, owner (or nothing), likeness (255: copy), echo (0, 1).
--
-- Everything lives in ages, stretches of stream time as long as a claim lives, and goes with its age:
-- two of them are alive in a steady stream. A key is looked for in the newest age first: who takes a
-- key over is never of an older age. Within an age a post is a number; <age>:k<2 bytes of a key> are
-- small hashes from the rest of a key to the number of its owner, <age>:r<n> strings of 256 records,
-- <age>:n<n> small hashes of 64 posts' names, <age>:t<n> pages of posts' letters.

local RECORDS, NAMES, BUCKETS, COPY = 256, 64, 65536, 255
local WIDTH, PAGE = 42, 16384 -- bytes of a record and of a page
local LAYOUT = 2 -- what an earlier version kept is not read
local NEVER, NO_KEY = -1e18, string.rep('\0', 8)
-- Keys of a past age that one call removes: about a millisecond.
local REMOVED_A_CALL, REMOVED_AT_ONCE = 2048, 512

local prefix = KEYS[1]
local head = cmsgpack.unpack(ARGV[1])
local keys_a_post = 1 + head.exact + head.bands + head.phrases
local count = #ARGV[2] / 8
local at, now -- of the post at work

local state = redis.call('GET', KEYS[1] .. 'state')
if state then state = cmsgpack.unpack(state) end
if not state or state.layout ~= LAYOUT then
  -- What a server that lost only the state still holds must not be taken for ours.
  local time = redis.call('TIME')
  state = {layout = LAYOUT, run = time[1] .. '.' .. time[2], mark = NEVER, last = NEVER, before = NEVER, seq = 0,
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
      local new = {number = number, posts = 0, pages = 0, used = PAGE}
      table.insert(state.ages, i, new)
      known(new)
      return new
    end
  end
  local new = {number = number, posts = 0, pages = 0, used = PAGE}
  table.insert(state.ages, new)
  known(new)
  return new
end

local function retire()
  local oldest = state.ages[#state.ages]
  while oldest and (oldest.number + 1) * head.age + head.life < now do
    table.remove(state.ages)
    table.insert(state.past, {number = oldest.number, posts = oldest.posts,
      pages = oldest.pages, done = 0})
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
  number = number - chunks
  if number < past.pages then return start .. 't' .. number end
  return start .. 'n' .. (number - past.pages)
end

local function remove_past()
  local past = state.past[1]
  if not past then return end
  local parts = BUCKETS + past.pages + math.ceil(past.posts / RECORDS)
    + math.ceil(past.posts / NAMES)
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
  local offset = (number % RECORDS) * WIDTH
  local chunk = age.prefix .. 'r' .. math.floor(number / RECORDS)
  local bytes = redis.call('GETRANGE', chunk, offset, offset + WIDTH - 1)
  found = false
  -- The server may have thrown it away, or all of it: then nobody owns what it owned.
  if #bytes == WIDTH and string.byte(bytes, 26) ~= 0 then
    found = {age = age, number = number, likeness = string.byte(bytes, 25)}
    found.at, found.ends, found.seq = struct.unpack('>ddd', bytes)
    found.echo = string.byte(bytes, 26) - 1
    found.began, found.page, found.offset, found.length
      = struct.unpack('>dI4I2I2', string.sub(bytes, 27))
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

-- ---- how alike two posts are: pipeline/indexes/alike.py in another language

local function words_in(text)
  local words, count = {}, 0
  local function add(word)
    if not words[word] then
      words[word] = true
      count = count + 1
    end
  end
  for word in string.gmatch(text, '[^ \128-\255]+') do add(word) end
  for run in string.gmatch(text, '[\128-\255]+') do
    for i = 1, math.max(1, #run - 1) do add(string.sub(run, i, i + 1)) end
  end
  return words, count
end

-- The letters of a post; nil where the server has thrown them away.
local function complete(post)
  if post.letters then return true end
  if post.length == 0 then return false end
  post.letters = redis.call('GETRANGE', post.age.prefix .. 't' .. post.page, post.offset,
    post.offset + post.length - 1)
  return #post.letters == post.length and string.byte(post.letters) ~= 0
end

local function shared_words(one, other)
  for _, post in ipairs({one, other}) do
    if not post.words then post.words, post.count = words_in(post.letters) end
  end
  if other.count < one.count then one, other = other, one end
  local shared = 0
  for word in pairs(one.words) do
    if other.words[word] then shared = shared + 1 end
  end
  return shared, one.count
end

local WORD, BITS = 1073741824, 30 -- characters that one number of the bit-parallel LCS stands for
local band, bor, rshift = bit.band, bit.bor, bit.rshift

local function ones(x)
  x = x - band(rshift(x, 1), 0x55555555)
  x = band(x, 0x33333333) + band(rshift(x, 2), 0x33333333)
  x = band(x + rshift(x, 4), 0x0f0f0f0f)
  x = x + rshift(x, 8)
  return band(x + rshift(x, 16), 63)
end

-- The longest common subsequence of a[first … last_a] and b[first … last_b] (Hyyrö 2004): a bit for
-- each character of a, which becomes 0 where the subsequence grows.
local function common_within(a, b, first, last_a, last_b)
  local masks, bits, words = {}, {}, 0
  for i = first, last_a do
    local place = (i - first) % BITS
    if place == 0 then
      words = words + 1
      masks[words], bits[words] = {}, WORD - 1
    end
    local mask = masks[words]
    mask[a[i]] = (mask[a[i]] or 0) + 2 ^ place
  end
  for j = first, last_b do
    local carry = 0
    for w = 1, words do
      local now_bits = bits[w]
      local hit = masks[w][b[j]]
      if hit then
        hit = band(now_bits, hit)
        local sum = now_bits + hit + carry
        carry = 0
        if sum >= WORD then sum, carry = sum - WORD, 1 end
        bits[w] = bor(sum, now_bits - hit)
      elseif carry == 1 then
        local sum = now_bits + 1
        carry = 0
        if sum >= WORD then sum, carry = sum - WORD, 1 end
        bits[w] = bor(sum, now_bits)
      end
    end
  end
  local found = 0
  for w = 1, words do
    local rest = last_a - first + 1 - (w - 1) * BITS
    local unset = WORD - 1 - bits[w]
    if rest < BITS then unset = unset % 2 ^ rest end
    found = found + ones(unset)
  end
  return found
end

-- How many characters two posts have in common, in order; nothing if fewer than ``least``.
local function common_letters(one, other, least)
  for _, post in ipairs({one, other}) do
    post.bytes = post.bytes or {string.byte(post.letters, 1, -1)}
  end
  local a, b = one.bytes, other.bytes
  if #b < #a then a, b = b, a end
  local first, last_a, last_b = 1, #a, #b
  while first <= last_a and a[first] == b[first] do first = first + 1 end
  while first <= last_a and a[last_a] == b[last_b] do last_a, last_b = last_a - 1, last_b - 1 end
  local same = #a - (last_a - first + 1)
  if #a < least then return nil end
  if first > last_a then return same end
  return same + common_within(a, b, first, last_a, last_b)
end

-- How alike two posts are, nothing if they are not.
local function likeness(one, other)
  local length = #one.letters + #other.letters
  local shorter = math.min(#one.letters, #other.letters)
  local shared, fewer = shared_words(one, other)
  if 100 * shared < head.shared * fewer then return nil end
  local least = head.alike * length / 200
  if fewer >= head.words and 100 * shared >= head.contained * fewer then
    least = math.min(least, head.characters * shorter / 100)
  end
  local common = common_letters(one, other, least)
  if not common or common == 0 or common < least then return nil end
  return math.floor(2 * head.equal * common / length)
end

-- ---- who owns what

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

-- The earliest alike owner of a band or a phrase, and how alike it is; bands stay with the first,
-- phrases go to the last. The first that is alike is enough: a brigade has hundreds of variants.
local function alike_owner(post, first, claims, wanted)
  local owners, met = {}, {}
  for k = head.exact + 1, keys_a_post - 1 do
    local key = string.sub(ARGV[3], first + k * 8, first + k * 8 + 7)
    if key ~= NO_KEY then
      local found, free = owner_of(key)
      if free or (found and k > head.exact + head.bands) then claims[#claims + 1] = key end
      if wanted and found and not met[found.seq] then
        met[found.seq] = true
        owners[#owners + 1] = found
      end
    end
  end
  table.sort(owners, function(one, other) return one.seq < other.seq end)
  for _, found in ipairs(owners) do
    local near = math.abs(at - found.began) <= head.window
    local alike = near and complete(found) and likeness(post, found)
    if alike then return found, alike end
  end
  return nil, 0
end

local function echo_key(group, author)
  local hex = redis.sha1hex(group .. author)
  local bucket = string.char(tonumber(string.sub(hex, 1, 2), 16), tonumber(string.sub(hex, 3, 4), 16))
  return bucket .. string.sub(hex, 5, 16)
end

-- Whom a new post joins: its group, the owner's name, how alike they are.
local function join(post, first, id, claims)
  claims[1] = string.sub(ARGV[3], first, first + 7)
  local owner, alike = exact_owner(first, claims), COPY
  local other, how = alike_owner(post, first, claims, not owner)
  if not owner then owner, alike = other, how end
  if not owner then return id, false, 0 end
  local name, group = names_of(owner)
  -- Nobody any more, or this very post in an attempt that was cut short.
  if not name or name == id then return id, false, 0 end
  post.began = owner.began
  return group, name, alike
end

-- Finds a place for the letters of a post in the pages of its age, and writes them there.
local function keep_letters(post)
  local age = post.age
  post.length = #post.letters
  if age.used + post.length > PAGE then
    age.pages, age.used = age.pages + 1, 0
    -- The whole string at once: one that grows bit by bit takes up to twice its size.
    redis.call('SETRANGE', age.prefix .. 't' .. (age.pages - 1), PAGE - 1, '\0')
  end
  post.page, post.offset = math.max(0, age.pages - 1), age.used % PAGE
  if post.length > 0 then
    redis.call('SETRANGE', age.prefix .. 't' .. post.page, post.offset, post.letters)
    age.used = age.used + post.length
  end
end

local function keep(post, id, group, owner, claims)
  local chunk = post.age.prefix .. 'r' .. math.floor(post.number / RECORDS)
  if post.number % RECORDS == 0 then
    redis.call('SETRANGE', chunk, RECORDS * WIDTH - 1, '\0')
  end
  keep_letters(post)
  local data = struct.pack('>dddI1I1dI4I2I2', post.at, post.ends, post.seq, post.likeness,
    post.echo + 1, post.began, post.page, post.offset, post.length)
  redis.call('SETRANGE', chunk, (post.number % RECORDS) * WIDTH, data)
  local names, field = post.age.prefix .. 'n' .. math.floor(post.number / NAMES), post.number % NAMES
  redis.call('HSET', names, field, id)
  if group ~= id then redis.call('HSET', names, 'g' .. field, group) end
  if owner then redis.call('HSET', names, 'o' .. field, owner) end
  for _, key in ipairs(claims) do
    local bucket = post.age.prefix .. 'k' .. string.sub(key, 1, 2)
    redis.call('HSET', bucket, string.sub(key, 3), post.number)
  end
end

local function claim(i, first, id)
  local stamp, claims = math.max(at, now), {}
  state.seq = state.seq + 1
  local post = {at = at, began = at, ends = stamp + head.life, seq = state.seq,
    letters = ARGV[4 + count + i]}
  local group, owner
  group, owner, post.likeness = join(post, first, id, claims)
  if head.restore then group = ARGV[4 + 2 * count + i] end
  post.echo = 0
  local author = string.sub(ARGV[4], i * 8 - 7, i * 8)
  if author ~= NO_KEY then
    local key = echo_key(group, author)
    local before, free = owner_of(key)
    if before then post.echo = 1 end
    if free then claims[#claims + 1] = key end
  end
  post.age = age_of(stamp)
  post.number = post.age.posts
  post.age.posts = post.number + 1
  records[post.age.number][post.number] = post
  keep(post, id, group, owner, claims)
  return group, owner, post.likeness, post.echo
end

-- ---- the batch

local answers = {}
for i = 1, count do
  at = struct.unpack('>d', ARGV[2], i * 8 - 7)
  -- How far the stream has come: two posts in a row that are far ahead do not move it.
  now = math.max(state.mark, math.min(at, state.last, state.before))
  state.mark, state.last, state.before = now, at, state.last
  retire()
  local id = ARGV[4 + i]
  local first = (i - 1) * keys_a_post * 8 + 1
  local own = find(string.sub(ARGV[3], first, first + 7))
  local group, owner, alike, echo
  if own and own.ends >= now then
    local name
    name, group, owner = names_of(own)
    group, alike, echo = group or id, own.likeness, own.echo
  else
    group, owner, alike, echo = claim(i, first, id)
  end
  local n = #answers
  answers[n + 1], answers[n + 2], answers[n + 3], answers[n + 4] = group, owner, alike, echo
end
remove_past()
for _, age in ipairs(state.ages) do age.prefix = nil end
redis.call('SET', KEYS[1] .. 'state', cmsgpack.pack(state))
return answers

-- Overwrites the letters of posts that were erased; what they claimed stays theirs (see claims.lua).
--
-- KEYS[1]  what all our keys start with
-- ARGV[1]  keys of ids, 8 bytes each

local RECORDS, WIDTH = 256, 42

local state = redis.call('GET', KEYS[1] .. 'state')
if not state then return 0 end
state = cmsgpack.unpack(state)
local overwritten = 0

for first = 1, #ARGV[1], 8 do
  local key = string.sub(ARGV[1], first, first + 7)
  for _, age in ipairs(state.ages) do
    local start = KEYS[1] .. state.run .. ':' .. age.number .. ':'
    local number = tonumber(redis.call('HGET', start .. 'k' .. string.sub(key, 1, 2),
      string.sub(key, 3)))
    if number then
      local offset = (number % RECORDS) * WIDTH
      local record = redis.call('GETRANGE', start .. 'r' .. math.floor(number / RECORDS), offset,
        offset + WIDTH - 1)
      if #record == WIDTH then
        local page, from, length = struct.unpack('>I4I2I2', string.sub(record, 35))
        if length > 0 then
          redis.call('SETRANGE', start .. 't' .. page, from, string.rep('\0', length))
          overwritten = overwritten + 1
        end
      end
    end
  end
end
return overwritten

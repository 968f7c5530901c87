-- Before a claim: whether the server still has all that was claimed before; otherwise nothing is done.
--
-- KEYS[1]  what all our keys start with
-- KEYS[2]  who asks: a word of its own, until it has claimed. Without it nothing is looked at.
--
-- A server is whole while it runs on; one that was restarted or emptied may have lost claims, and
-- whoever asks is told so once: who then claims, has restored them by the contract of the port.

if KEYS[2] then
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local whole, restoring = KEYS[1] .. 'whole', KEYS[1] .. 'restoring'
  if redis.call('GET', whole) ~= run then
    local told = KEYS[2] .. ':' .. run
    if redis.call('SISMEMBER', restoring, told) == 0 then
      redis.call('SADD', restoring, told)
      return redis.error_reply('EMPTIED claims may be lost')
    end
    redis.call('SET', whole, run)
    redis.call('DEL', restoring)
  end
end


/* The Lua of presence: see presence_script.h. Keys are made inside, so a Redis Cluster is not supported. */
#include "model/presence_script.h"

#define COMMON                                                                                                         \
	"if redis.call('SET', 'presence:kept', '1', 'NX') then"                                                        \
	"  redis.call('SET', 'presence:settling', '1', 'PX', " PRESENCE_SETTLE_MS ")"                                  \
	"  redis.call('PUBLISH', '" PRESENCE_NODES_CHANNEL "', 'emptied')"                                             \
	"end "                                                                                                         \
	"local known = {} "                                                                                            \
	"local function lives(node)"                                                                                   \
	"  if known[node] == nil then known[node] = redis.call('EXISTS', 'presence:node:' .. node) == 1 end"           \
	"  return known[node] "                                                                                        \
	"end "

const char presence_script_beat[] =
	COMMON "local lines = {lives(ARGV[1]) and '1' or '0'} "
	       "redis.call('SET', 'presence:node:' .. ARGV[1], '1', 'PX', ARGV[2]) "
	       "redis.call('SADD', 'presence:nodes', ARGV[1]) known[ARGV[1]] = true "
	       "for _, node in ipairs(redis.call('SMEMBERS', 'presence:nodes')) do"
	       "  if lives(node) then lines[#lines + 1] = node else redis.call('SREM', 'presence:nodes', node) end "
	       "end "
	       "return table.concat(lines, '\\n')";

/* A hash expires an hour after its last writing, so that those of dead nodes go; a node writes its people more often. */
const char presence_script_write[] =
	COMMON "local me = ARGV[1] local lived = lives(me) local answers = {} "
	       "redis.call('SET', 'presence:node:' .. me, '1', 'PX', ARGV[2]) redis.call('SADD', 'presence:nodes', me) "
	       "for i = 4, #ARGV, 3 do"
	       "  local key = 'presence:' .. ARGV[i] local here = ARGV[i + 1] == '1' local mine, others = false, false"
	       "  for _, node in ipairs(redis.call('HKEYS', key)) do"
	       "    if node == me then mine = lived elseif lives(node) then others = true"
	       "    else redis.call('HDEL', key, node) end"
	       "  end"
	       "  if here then redis.call('HSET', key, me, '1') redis.call('EXPIRE', key, 3600)"
	       "  else redis.call('HDEL', key, me) end"
	       "  local before, after = mine or others, here or others local answer = '='"
	       "  if after and (not before or (here and ARGV[3] == '1')) then answer = '+'"
	       "    redis.call('PUBLISH', 'p:' .. ARGV[i], '+')"
	       "  elseif before and not after then answer = '-'"
	       "    redis.call('PUBLISH', 'p:' .. ARGV[i], '-' .. ARGV[i + 2]) end"
	       "  answers[#answers + 1] = answer "
	       "end "
	       "return table.concat(answers)";

const char presence_script_read[] =
	COMMON "local missing = redis.call('EXISTS', 'presence:settling') == 1 and '?' or '-' local answers = {} "
	       "for i = 1, #ARGV do answers[i] = missing"
	       "  for _, node in ipairs(redis.call('HKEYS', 'presence:' .. ARGV[i])) do"
	       "    if lives(node) then answers[i] = '+' break end"
	       "  end "
	       "end "
	       "return table.concat(answers)";

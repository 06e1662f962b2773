--[[
  Adds a job to a queue and answers its id.

  KEYS[1] wait         list: jobs that wait for a worker, the next one on the right
  KEYS[2] paused       list: the same while the queue is paused
  KEYS[3] meta         hash: settings of the queue
  KEYS[4] id           counter: the last id given out
  KEYS[5] delayed      sorted set: jobs by when they are due, with their order behind it
  KEYS[6] prioritized  sorted set: jobs by priority, with their order behind it
  KEYS[7] events       stream: what has happened
  KEYS[8] marker       sorted set: wakes workers

  ARGV[1] prefix of the keys of jobs
  ARGV[2] name of the job
  ARGV[3] time, in milliseconds since 1970
  ARGV[4] data, as JSON
  ARGV[5] options, as JSON: delay, priority, attempts, lifo, jobId, parent, deduplication ...
  ARGV[6] key of the parent, or empty

  Answers the id; -1 if the parent is not there, -2 if the data is too large.
]]
local waitKey = KEYS[1]
local pausedKey = KEYS[2]
local metaKey = KEYS[3]
local idKey = KEYS[4]
local delayedKey = KEYS[5]
local prioritizedKey = KEYS[6]
local eventsKey = KEYS[7]
local markerKey = KEYS[8]

local prefix = ARGV[1]
local jobName = ARGV[2]
local timestamp = tonumber(ARGV[3])
local data = ARGV[4]
local options = cjson.decode(ARGV[5])
local parentKey = ARGV[6]

local rcall = redis.call

-- Limits that the queue falls back on.
local DEFAULT_MAX_EVENTS = 10000
local DEFAULT_SIZE_LIMIT = 1048576
local PRIORITY_STEP = 4294967296
local DELAY_STEP = 4096
local ERROR_NO_PARENT = -1
local ERROR_TOO_LARGE = -2

-- What the states of a job are called in events.
local STATE_WAITING = "waiting"
local STATE_DELAYED = "delayed"
local STATE_PRIORITIZED = "prioritized"
local STATE_WAITING_CHILDREN = "waiting-children"

-- Settings of the queue: whether it is paused, how many jobs may run, how long the stream of events is.
local function readSettings(key)
  local values = rcall("HMGET", key, "paused", "concurrency", "maxEvents", "sizeLimit")
  return {
    isPaused = values[1] == "1",
    concurrency = tonumber(values[2]),
    maxEvents = tonumber(values[3]) or DEFAULT_MAX_EVENTS,
    sizeLimit = tonumber(values[4]) or DEFAULT_SIZE_LIMIT
  }
end

-- The list that a job goes to which may run at once, and whether workers are to be told.
local function targetOf(settings)
  if settings.isPaused then
    return pausedKey, false
  end
  return waitKey, true
end

-- Appends to the stream of events, and keeps it from growing for ever.
local function addEvent(settings, event, jobId, ...)
  rcall("XADD", eventsKey, "MAXLEN", "~", settings.maxEvents, "*", "event", event, "jobId", jobId, ...)
end

-- Tells workers that there is something to do; a marker that is there already stays.
local function addMarker(score, member)
  rcall("ZADD", markerKey, score, member)
end

-- Wakes workers up when the first delayed job is due.
local function markDelayed()
  local first = rcall("ZRANGE", delayedKey, 0, 0, "WITHSCORES")
  if #first > 0 then
    addMarker(math.floor(tonumber(first[2]) / DELAY_STEP), "1")
  end
end

-- The id of a job: the one that was asked for, or the next number.
local function idOf(wanted)
  if wanted ~= nil and wanted ~= "" then
    return tostring(wanted), true
  end
  return tostring(rcall("INCR", idKey)), false
end

-- Where a prioritized job stands: by priority first, then by the order in which they came.
local function scoreOf(priority)
  local order = rcall("INCR", prefix .. "pc")
  return priority * PRIORITY_STEP + order % PRIORITY_STEP
end

-- Delayed jobs of the same millisecond keep their order as well, as long as they are fewer than the step.
local function dueScoreOf(dueAt)
  local low = dueAt * DELAY_STEP
  local last = rcall("ZREVRANGEBYSCORE", delayedKey, low + DELAY_STEP - 1, low, "WITHSCORES", "LIMIT", 0, 1)
  if #last > 0 then
    local score = tonumber(last[2])
    if score >= low + DELAY_STEP - 1 then
      return score
    end
    return score + 1
  end
  return low
end

-- Where the backoff of a job is a number of milliseconds it means a fixed one.
local function backoffOf(backoff)
  if type(backoff) == "number" then
    return "fixed", backoff
  end
  if type(backoff) == "table" then
    return backoff.type or "fixed", tonumber(backoff.delay) or 0
  end
  return nil, 0
end

-- What becomes of the record of a job that has ended: true is at once, a number is how many are kept.
local function keepOf(value)
  if value == true then
    return 0
  end
  if type(value) == "number" then
    return value
  end
  if type(value) == "table" then
    return tonumber(value.count) or -1
  end
  return -1
end

-- The record of a job: what workers read when they take it.
local function storeJob(jobKey, jobId, delay, priority)
  local attempts = tonumber(options.attempts) or 1
  local backoffType, backoffDelay = backoffOf(options.backoff)
  local fields = {
    "name", jobName,
    "data", data,
    "timestamp", timestamp,
    "delay", delay,
    "priority", priority,
    "attempts", attempts,
    "keepCompleted", keepOf(options.removeOnComplete),
    "keepFailed", keepOf(options.removeOnFail)
  }
  if backoffType then
    fields[#fields + 1] = "backoff"
    fields[#fields + 1] = backoffType .. ":" .. backoffDelay
  end
  if parentKey ~= "" then
    fields[#fields + 1] = "parentKey"
    fields[#fields + 1] = parentKey
  end
  if options.repeatKey then
    fields[#fields + 1] = "repeatKey"
    fields[#fields + 1] = options.repeatKey
  end
  if options.stackTraceLimit then
    fields[#fields + 1] = "stackTraceLimit"
    fields[#fields + 1] = tonumber(options.stackTraceLimit) or 10
  end
  rcall("HSET", jobKey, unpack(fields))
  rcall("HDEL", jobKey, "returnvalue", "failedReason", "finishedOn")
end

-- A job whose id is there already stays as it is; its parent may be another one now.
local function handleDuplicate(settings, jobKey, jobId)
  if parentKey ~= "" then
    local oldParent = rcall("HGET", jobKey, "parentKey")
    if oldParent and oldParent ~= "" and oldParent ~= parentKey then
      rcall("SREM", oldParent .. ":dependencies", jobKey)
    end
    if rcall("HEXISTS", jobKey, "finishedOn") == 1 then
      local value = rcall("HGET", jobKey, "returnvalue")
      rcall("HSET", parentKey .. ":processed", jobKey, value or "null")
    else
      rcall("HSET", jobKey, "parentKey", parentKey)
      rcall("SADD", parentKey .. ":dependencies", jobKey)
    end
  end
  addEvent(settings, "duplicated", jobId)
  return jobId
end

-- Jobs that say they are the same work are added once in a while only.
local function isThrottled(settings, jobId, deduplication)
  if deduplication == nil or deduplication.id == nil then
    return nil
  end
  local key = prefix .. "de:" .. deduplication.id
  local ttl = tonumber(deduplication.ttl)
  local isNew
  if ttl and ttl > 0 then
    isNew = rcall("SET", key, jobId, "PX", ttl, "NX")
  else
    isNew = rcall("SET", key, jobId, "NX")
  end
  if isNew then
    return nil
  end
  local existing = rcall("GET", key)
  if deduplication.extend and ttl then
    rcall("PEXPIRE", key, ttl)
  end
  addEvent(settings, "debounced", existing, "debounceId", deduplication.id)
  addEvent(settings, "deduplicated", existing, "deduplicationId", deduplication.id)
  return existing
end

-- A job that waits for its children comes to a set of its own, and has no place in line yet.
local function addWaitingChildren(settings, jobId)
  rcall("ZADD", prefix .. "waiting-children", timestamp, jobId)
  addEvent(settings, STATE_WAITING_CHILDREN, jobId)
end

local function addDelayed(settings, jobId, delay)
  local dueAt = timestamp + delay
  rcall("ZADD", delayedKey, dueScoreOf(dueAt), jobId)
  addEvent(settings, STATE_DELAYED, jobId, "delay", dueAt)
  markDelayed()
end

local function addPrioritized(settings, jobId, priority)
  rcall("ZADD", prioritizedKey, scoreOf(priority), jobId)
  addEvent(settings, STATE_PRIORITIZED, jobId, "priority", priority)
  if not settings.isPaused then
    addMarker(0, "0")
  end
end

local function addWaiting(settings, jobId)
  local target, tellsWorkers = targetOf(settings)
  if options.lifo then
    rcall("RPUSH", target, jobId)
  else
    rcall("LPUSH", target, jobId)
  end
  addEvent(settings, STATE_WAITING, jobId, "prev", "new")
  if tellsWorkers then
    addMarker(0, "0")
    rcall("PUBLISH", prefix .. "added", jobId)
  end
end

-- Puts a job where it waits, whatever it waits for.
local function place(settings, jobId, delay, priority)
  if options.waitsForChildren then
    addWaitingChildren(settings, jobId)
  elseif delay > 0 then
    addDelayed(settings, jobId, delay)
  elseif priority > 0 then
    addPrioritized(settings, jobId, priority)
  else
    addWaiting(settings, jobId)
  end
end

local settings = readSettings(metaKey)
if #data > settings.sizeLimit then
  return ERROR_TOO_LARGE
end
if parentKey ~= "" and rcall("EXISTS", parentKey) == 0 then
  return ERROR_NO_PARENT
end

local jobId, isGiven = idOf(options.jobId)
local jobKey = prefix .. jobId
if isGiven and rcall("EXISTS", jobKey) == 1 then
  return handleDuplicate(settings, jobKey, jobId)
end
local existing = isThrottled(settings, jobId, options.deduplication)
if existing then
  return existing
end

local delay = tonumber(options.delay) or 0
local priority = tonumber(options.priority) or 0
storeJob(jobKey, jobId, delay, priority)
addEvent(settings, "added", jobId, "name", jobName)
place(settings, jobId, delay, priority)
if parentKey ~= "" then
  rcall("SADD", parentKey .. ":dependencies", jobKey)
end
return jobId

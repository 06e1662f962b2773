"""Locks and registered scripts of redis-py, as its documentation uses them."""

import sys
import threading

import redis

client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)

# The times are long: no lock is lost while this runs.
lock = client.lock("my-lock", timeout=60)
assert lock.acquire(blocking=False)
assert client.lock("my-lock").locked()
assert not client.lock("my-lock", timeout=60).acquire(blocking=False)
assert not client.lock("my-lock", timeout=60, blocking_timeout=0.05).acquire()
assert lock.owned()
assert lock.extend(600) and client.pttl("my-lock") > 600_000
assert lock.extend(30, replace_ttl=True) and client.pttl("my-lock") <= 30_000
assert lock.reacquire() and client.pttl("my-lock") > 30_000
lock.release()
assert not client.exists("my-lock")

# A lock that another one has by now is neither given back nor extended.
with client.lock("my-lock", timeout=60) as lost:
    token = client.getset("my-lock", "another's")
    for operation in (lost.release, lost.reacquire, lambda: lost.extend(60)):
        lost.local.token = token
        try:
            operation()
            raise SystemExit("a lock that was lost is still there")
        except redis.exceptions.LockError:
            pass
    assert client.get("my-lock") == "another's"
    lost.local.token = "another's"

# One at a time, of many who wait for their turn.
inside = 0


def take_a_turn():
    global inside
    with client.lock("turns", timeout=60, sleep=0.005):
        inside += 1
        assert inside == 1
        client.set("count", int(client.get("count") or 0) + 1)
        inside -= 1


turns = [threading.Thread(target=take_a_turn) for _ in range(8)]
for turn in turns:
    turn.start()
for turn in turns:
    turn.join()
assert client.get("count") == "8"

multiply = client.register_script(
    """
local value = redis.call('GET', KEYS[1])
value = tonumber(value)
return value * ARGV[1]"""
)
client.set("foo", 2)
assert multiply(keys=["foo"], args=[5]) == 10
assert client.script_exists(multiply.sha) == [True]
other = redis.Redis(port=int(sys.argv[1]), db=2)
other.set("foo", 3)
assert multiply(keys=["foo"], args=[5], client=other) == 15
pipe = client.pipeline()
pipe.set("foo", 7)
multiply(keys=["foo"], args=[5], client=pipe)
assert pipe.execute() == [True, 35]

# The server has forgotten it: redis-py sends it once more.
client.script_flush()
assert client.script_exists(multiply.sha) == [False]
assert multiply(keys=["foo"], args=[1]) == 7
client.script_flush()
multiply(keys=["foo"], args=[2], client=pipe)
assert pipe.execute() == [14]
try:
    multiply(keys=["missing"], args=[1])
    raise SystemExit("an error was not told")
except redis.ResponseError as error:
    assert "attempt to perform arithmetic on local 'value' (a nil value)" in str(error), error

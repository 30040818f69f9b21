# Decisions a second of Python `limits` (fixed window) on a Redis: URL, concurrent tasks, seconds.
import asyncio, random, sys, time
import limits

url, tasks, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
rule = limits.RateLimitItemPerHour(1 << 40)


def identifier():
    return format(random.randrange(100_000), "012x")


def alone():
    limiter = limits.strategies.FixedWindowRateLimiter(limits.storage.storage_from_string(url))
    assert limiter.hit(rule, identifier())
    count, start = 0, time.monotonic()
    while time.monotonic() - start < seconds:
        assert limiter.hit(rule, identifier())
        count += 1
    return count / (time.monotonic() - start)


async def together():
    storage = limits.storage.storage_from_string("async+" + url, implementation="redispy")
    limiter = limits.aio.strategies.FixedWindowRateLimiter(storage)
    assert await limiter.hit(rule, identifier())
    start = time.monotonic()

    async def task():
        count = 0
        while time.monotonic() - start < seconds:
            assert await limiter.hit(rule, identifier())
            count += 1
        return count

    count = sum(await asyncio.gather(*(task() for _ in range(tasks))))
    return count / (time.monotonic() - start)


print(alone() if tasks == 1 else asyncio.run(together()))

// Decisions a second of Node's `rate-limiter-flexible` (fixed window) on a Redis: URL, concurrent tasks, seconds,
// how many are allowed ("many" or "none", the latter blocked in memory once refused).
const [url, tasks, seconds, allowed] = process.argv.slice(1);
const Redis = require('ioredis');
const { RateLimiterRedis } = require('rate-limiter-flexible');

const identifier = (keys) => Math.floor(Math.random() * keys).toString(16).padStart(12, '0');

async function main() {
  const storeClient = new Redis(url);
  const isRefused = allowed === 'none';
  const options = { storeClient, keyPrefix: `flexible${process.pid}`, duration: 3600 };
  const limiter = new RateLimiterRedis(
    isRefused ? { ...options, points: 1, inMemoryBlockOnConsumed: 1 } : { ...options, points: 1e12 });
  const keys = isRefused ? 1000 : 100000;
  const consume = () => limiter.consume(identifier(keys)).catch((refusal) => {
    if (refusal instanceof Error) throw refusal;
  });
  if (isRefused) {
    for (let round = 0; round < 2; round++) {
      for (let key = 0; key < keys; key++) {
        await limiter.consume(key.toString(16).padStart(12, '0')).catch(() => {});
      }
    }
  }
  await consume();
  const start = process.hrtime.bigint();
  const elapsed = () => Number(process.hrtime.bigint() - start) / 1e9;
  let count = 0;
  const task = async () => {
    while (elapsed() < seconds) {
      await consume();
      count++;
    }
  };
  await Promise.all(Array.from({ length: Number(tasks) }, task));
  console.log(count / elapsed());
  storeClient.disconnect();
}

main().catch((error) => { console.error(error); process.exit(1); });

/**
 * What does it cost to write a reply? Each figure is for 1,000 replies, written into chunks that are
 * taken and given back as a connection does.
 */
import { latin1 } from "../src/base/bytes.ts";
import { recycleChunk, ReplyWriter } from "../src/resp/reply_writer.ts";

const REPLIES = 1000;
let sink = 0;

function bench(
  name: string,
  group: string,
  write: (reply: ReplyWriter) => void,
  perTake = REPLIES,
) {
  const reply = new ReplyWriter();
  Deno.bench(name, { group }, () => {
    for (let done = 0; done < REPLIES; done += perTake) {
      for (let i = 0; i < perTake; i++) write(reply);
      for (let chunk = reply.takeChunk(); chunk !== null; chunk = reply.takeChunk()) {
        sink += reply.chunkLength;
        recycleChunk(chunk);
      }
    }
  });
}

const short = latin1("xxx");
const medium = latin1("x".repeat(40));
const large = latin1("x".repeat(512));
bench("+OK", "replies", (reply) => reply.ok());
bench("an integer of one digit", "replies", (reply) => reply.integer(1));
bench("an integer of seven digits", "replies", (reply) => reply.integer(1_234_567));
bench("a bulk string of 3 bytes", "replies", (reply) => reply.bulk(short));
bench("a bulk string of 40 bytes", "replies", (reply) => reply.bulk(medium));
bench("a bulk string of 512 bytes", "replies", (reply) => reply.bulk(large));
bench("an array of 100 short strings", "replies", (reply) => {
  reply.array(100);
  for (let i = 0; i < 100; i++) reply.bulk(short);
});
bench("a double in RESP2", "replies", (reply) => reply.double(1.5));
bench("an error", "replies", (reply) => reply.error("ERR no such key"));

bench("a bulk string of 3 bytes, taken after each", "takes", (reply) => reply.bulk(short), 1);
bench("a bulk string of 3 bytes, taken after 16", "takes", (reply) => reply.bulk(short), 16);

/** `aclfile`, `user` lines, ACL LOAD and SAVE: where users come from, and where they are kept. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsersError } from "../../src/dispatch/access_control.ts";
import { InputClient } from "../support/input_client.ts";
import { testServer } from "../support/test_server.ts";

const HASH = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; // of "secret"
const NOTHING =
  "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

/** Runs a test with a folder that has a file of users, and a server that goes by it. */
async function withFile(
  text: string | null,
  test: (folder: string, start: () => ReturnType<typeof testServer>) => void,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    if (text !== null) await Deno.writeTextFile(`${folder}/users.acl`, text);
    test(folder, () => testServer({ folder, directives: { aclfile: "users.acl" } }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const read = (folder: string) => Deno.readTextFileSync(`${folder}/users.acl`);
const write = (folder: string, text: string) => Deno.writeTextFileSync(`${folder}/users.acl`, text);

Deno.test("users are read from aclfile at the start; the default one is as ever if it is not there", () =>
  withFile(`user alice on >secret ~a* +@all\n\n  user bob off ( +get ~b ) \r\n`, (_, start) => {
    const s = start();
    assertEquals(s.run("ACL", "LIST"), [
      `user alice on sanitize-payload #${HASH} ~a* resetchannels +@all`,
      "user bob off sanitize-payload resetchannels -@all (~b resetchannels -@all +get)",
      "user default on nopass sanitize-payload ~* &* +@all",
    ]);
  }));

Deno.test("a default user of aclfile takes the place of the one that requirepass makes", () =>
  withFile("user default on nopass ~* +@all -flushall\n", (folder) => {
    const s = testServer({ folder, directives: { aclfile: "users.acl", requirepass: "x" } });
    assertEquals(s.run("ACL", "LIST"), [
      "user default on nopass sanitize-payload ~* resetchannels +@all -flushall",
    ]);
  }));

Deno.test("ACL SAVE writes all users, ACL LOAD reads them and ends clients of all but the default one", () =>
  withFile("user alice on nopass +@all ~* &*\n", (folder, start) => {
    const s = start();
    s.run("ACL", "SETUSER", "eve", "on", ">secret", "+get", "%R~a", "(%RW~* ~b +set)");
    assertEquals(s.run("ACL", "SAVE"), "OK");
    const saved = read(folder);
    assertEquals(
      saved,
      "user alice on nopass sanitize-payload ~* &* +@all\n" +
        "user default on nopass sanitize-payload ~* &* +@all\n" +
        `user eve on sanitize-payload #${HASH} %R~a resetchannels -@all +get ` +
        "(%RW~* ~b resetchannels -@all +set)\n",
    );
    const [alice, other] = [new InputClient(s), new InputClient(s)];
    alice.send("AUTH alice x\r\n");
    const self = new InputClient(s);
    self.send("AUTH alice x\r\nACL LOAD\r\nPING\r\n");
    assertEquals(self.received(), ["OK", "OK"]);
    assertEquals(self.client.isClosing, true);
    assertEquals([alice.closed, other.closed], ["at once", "no"]);
    assertEquals(s.run("ACL", "SAVE"), "OK");
    assertEquals(read(folder), saved);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["users.acl"]);
  }));

for (
  const [text, errors] of [
    ["user a on\nuser b nosuch\n", "users.acl:2: Syntax error. "],
    [
      "user a +nosuch +@x ~a% nosuch &a\n",
      "users.acl:1: Error in applying operation '+nosuch': Unknown " +
      "command or category name in ACL. users.acl:1: Error in applying operation '+@x': Unknown command " +
      "or category name in ACL. users.acl:1: Syntax error. ",
    ],
    ["user a on\nuser a off\n", "WARNING: Duplicate user 'a' found on line 2. "],
    ["# people\n", "users.acl:1 should start with user keyword followed by the username. "],
    ["user\n", "users.acl:1 should start with user keyword followed by the username. "],
    ["USER a on\n", "users.acl:1 should start with user keyword followed by the username. "],
    ["user a (+get\n", "users.acl:1: Unmatched parenthesis in selector definition."],
    [
      "user a #abc\nuser b ~* ~a\n",
      "users.acl:1: The password hash must be exactly 64 characters and " +
      "contain only lowercase hexadecimal characters. users.acl:2: Adding a pattern after the * pattern " +
      "(or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with " +
      "an empty list of patterns. ",
    ],
    [
      "user a <secret\n",
      "users.acl:1: The password you are trying to remove from the user does not exist. ",
    ],
  ]
) {
  Deno.test(`a file of users with ${JSON.stringify(text)} changes nothing, and stops a start`, () =>
    withFile("user a on nopass +@all\n", (folder, start) => {
      const s = start();
      const before = s.run("ACL", "LIST");
      write(folder, text);
      assertEquals(s.run("ACL", "LOAD"), { error: `ERR ${errors}${NOTHING}` });
      assertEquals(s.run("ACL", "LIST"), before);
      const failure = assertThrows(start, UsersError);
      assertEquals(
        failure.message,
        `Aborting Redis startup because of ACL errors: ${errors}${NOTHING}`,
      );
      assert(!JSON.stringify(s.logLines).includes("secret"));
    }));
}

Deno.test("a file of users that is not there, or is a folder, changes nothing and stops a start", () =>
  withFile("user a on nopass +@all\n", (folder, start) => {
    const s = start();
    const before = s.run("ACL", "LIST");
    Deno.removeSync(`${folder}/users.acl`);
    const opening = "Error loading ACLs, opening file 'users.acl': ";
    assertEquals(s.run("ACL", "LOAD"), { error: `ERR ${opening}No such file or directory` });
    assertThrows(start, UsersError, opening + "No such file or directory");
    Deno.mkdirSync(`${folder}/users.acl`);
    assertEquals(s.run("ACL", "LOAD"), { error: `ERR ${opening}Is a directory` });
    assertThrows(start, UsersError, opening + "Is a directory");
    assertEquals(s.run("ACL", "SAVE"), {
      error:
        "ERR There was an error trying to save the ACLs. Please check the server logs for more " +
        "information",
    });
    assert(s.logLines.at(-1)!.includes("Writing ACL file for ACL SAVE: "), s.logLines.at(-1));
    assertEquals(s.run("ACL", "LIST"), before);
  }));

Deno.test("a user line makes its user; that of the default user leaves nothing of requirepass", () => {
  const s = testServer({
    directives: { requirepass: "x", user: ["default", "on", "nopass", "~*", "+@all"] },
  });
  assertEquals(s.run("ACL", "LIST"), [
    "user default on nopass sanitize-payload ~* resetchannels +@all",
  ]);
});

Deno.test("users in the configuration and a file of users together stop a start", () => {
  const directives = { aclfile: "users.acl", user: ["a", "on"] };
  assertThrows(() => testServer({ directives }), UsersError, "but not both.");
});

Deno.test("a user line with a command that there is not stops a start, and tells no password", () => {
  assertThrows(
    () => testServer({ directives: { user: ["a", "on", ">secret", "+nosuch"] } }),
    UsersError,
    "Critical error while loading ACLs. Exiting.",
  );
});

Deno.test("a file of users that is far too large is not read, and changes nothing", () =>
  withFile("user alice on nopass\n", (folder, start) => {
    const s = start();
    Deno.truncateSync(`${folder}/users.acl`, (64 << 20) + 1);
    const { error } = s.run("ACL", "LOAD") as { error: string };
    assert(error.includes("opening file 'users.acl': File too large"), error);
    assertEquals(s.run("ACL", "USERS"), ["alice", "default"]);
  }));

Deno.test("ACL LOAD ends subscribers of the default user that may not hear their channels any more", () =>
  withFile("user default on nopass ~* &* +@all\n", (folder, start) => {
    const s = start();
    const [a, b] = ["SUBSCRIBE a\r\n", "PSUBSCRIBE b*\r\n"].map((line) => {
      const c = new InputClient(s);
      c.send(line);
      return c;
    });
    write(folder, "user default on nopass ~* resetchannels &a +@all\n");
    assertEquals(s.run("ACL", "LOAD"), "OK");
    assertEquals([a.closed, b.closed], ["no", "at once"]);
  }));

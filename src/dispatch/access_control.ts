/**
 * Users as a running server has them: where they come from (configuration, `aclfile`), who a client is, and
 * what a change of users means for clients that are connected.
 *
 * A client of a user who may do everything passes no gate because of its rights; for others one bit of its
 * own is set (CLIENT_RESTRICTED), and dispatch asks access_check.ts.
 */

import { resolve } from "@std/path";
import { toLatin1 } from "../base/bytes.ts";
import type { CommandCatalog } from "../access/catalog.ts";
import { parseUserFile, userFileText } from "../access/user_file.ts";
import { hasSpaces } from "../access/selector_rules.ts";
import { isAllowedChannel } from "../access/selector.ts";
import { DEFAULT_USER, nobody, type User } from "../access/user.ts";
import { BadRule, problemOfRules, UnmatchedBracket } from "../access/user_rules.ts";
import { Users } from "../access/users.ts";
import { toPath } from "../config/parse.ts";
import { replaceFile } from "../config/rewrite.ts";
import { problemOf, SystemError } from "../runtime/system_error.ts";
import type { Client } from "./client.ts";
import {
  checkAccess,
  DENIED_CHANNEL,
  DENIED_KEY,
  DENIED_NOTHING,
  deniedWord,
} from "./access_check.ts";
import type { Command } from "./command.ts";
import type { Words } from "../resp/words.ts";
import type { Services } from "./services.ts";
import { type AccessLogEntry, NAME_BYTES_MAX } from "../observe/access_log.ts";

const MIXED =
  "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path " +
  "is invalid. This setup is very likely to lead to configuration errors and security holes, please " +
  "define either an ACL file or declare users directly in your redis.conf, but not both.";
const NOTHING_CHANGED =
  "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

/** A file of users that is larger is none: it is not read. */
const FILE_BYTES_MAX = 64 << 20;

/** Users cannot be what the configuration or the file says: the server must not start. */
export class UsersError extends Error {}

export class AccessControl {
  readonly users: Users;
  readonly #server: Services;
  readonly #nobody: User;

  constructor(server: Services, catalog: CommandCatalog) {
    this.#server = server;
    const { config } = server;
    this.#nobody = nobody(catalog);
    this.users = new Users(catalog, () => config.value("acl-pubsub-default") === "allchannels");
    config.bind(["requirepass"], (values) => {
      this.users.setDefaultPassword(values["requirepass"]);
      this.#defaultChanged();
    });
    config.userLines = () => this.#hasFile ? [] : this.users.all().map(({ fileLine }) => fileLine);
  }

  // -- where users come from ---------------------------------------------------------------------

  /** Makes users what the configuration says, at the start. @throws UsersError */
  begin(): void {
    const { config } = this.#server;
    if (this.#hasFile && config.users.length > 0) throw new UsersError(MIXED);
    for (const { words: [name, ...rules] } of config.users) this.#addConfigured(name, rules);
    if (this.#hasFile) {
      const errors = this.load();
      if (errors !== null) {
        throw new UsersError(`Aborting Redis startup because of ACL errors: ${errors}`);
      }
    }
  }

  #addConfigured(name: string, rules: readonly string[]): void {
    const { log } = this.#server;
    if (hasSpaces(name)) throw new UsersError("Spaces not allowed in ACL usernames");
    try {
      // A line says all of a user: of the default one, nothing stays that was there before.
      const isKnown = this.users.find(name) !== null;
      const user = this.users.put(this.users.tried(name, isKnown ? ["reset", ...rules] : rules));
      if (!user.isOn) {
        log.notice(
          `The user '${name}' is disabled (there is no 'on' modifier in the user description). ` +
            "Make sure this is not a configuration error.",
        );
      }
    } catch (error) {
      if (!(error instanceof BadRule) && !(error instanceof UnmatchedBracket)) throw error;
      log.warning(
        `Error loading ACL rule '${shownRule(error.rule)}' for the user named '${name}': ` +
          problemOfRules(error),
      );
      throw new UsersError("Critical error while loading ACLs. Exiting.");
    }
  }

  get #hasFile(): boolean {
    return this.#server.config.value("aclfile") !== "";
  }

  /** Whether there is a file that `load` and `save` go to. */
  get hasFile(): boolean {
    return this.#hasFile;
  }

  get #path(): string {
    const { config } = this.#server;
    return resolve(toPath(config.value("dir")), toPath(config.value("aclfile")));
  }

  /**
   * Replaces all users by those of the file, if all of it is right: null, else what is wrong. Clients of all users
   * but the default one are ended, as in Redis; of that one, which Redis leaves, subscribers that may not hear some
   * of their channels any more.
   */
  load(): string | null {
    const { config, runtime } = this.#server;
    const file = config.value("aclfile");
    let text: string;
    try {
      const { files } = runtime;
      if ((files.info(this.#path)?.sizeBytes ?? 0) > FILE_BYTES_MAX) {
        throw new SystemError("EFBIG", "File too large");
      }
      text = toLatin1(files.read(this.#path));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return `Error loading ACLs, opening file '${file}': ${problemOf(error)}`;
    }
    const { users, errors } = parseUserFile(text, file, this.users);
    if (errors !== "") return errors + NOTHING_CHANGED;
    const next = users.find(({ name }) => name === DEFAULT_USER);
    if (next !== undefined) this.#endSubscribers(this.users.default, next);
    const gone = new Set(this.users.replaceAll(users));
    this.#endClients((user) => gone.has(user));
    this.#changed(this.users.default);
    return null;
  }

  /** Writes all users to the file, which is replaced at once. False when that failed; the log says why. */
  save(): boolean {
    const { runtime, log } = this.#server;
    try {
      replaceFile(runtime, this.#path, () => userFileText(this.users.all()));
      return true;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      log.warning(`Writing ACL file for ACL SAVE: ${problemOf(error)}`);
      return false;
    }
  }

  // -- changes -----------------------------------------------------------------------------------

  /**
   * Makes or changes a user. Subscribers that may not hear some of their channels any more are ended.
   * @throws BadRule, UnmatchedBracket, and nothing has changed
   */
  set(name: string, rules: readonly string[]): void {
    const tried = this.users.tried(name, rules);
    const known = this.users.find(name);
    if (known !== null) this.#endSubscribers(known, tried);
    this.#changed(this.users.put(tried));
  }

  /** Removes a user and ends its clients; false if there is none of that name. Not for the default user. */
  remove(name: string): boolean {
    const gone = this.users.remove(name);
    if (gone === null) return false;
    this.#endClients((user) => user === gone);
    return true;
  }

  /** Puts what has become of a user into the gates of its clients. */
  #changed(user: User): void {
    for (const client of this.#server.clients.byId.values()) {
      if (client.user === user) client.userChanged();
    }
    if (user === this.users.default) this.#defaultChanged();
  }

  /** Who has not authenticated needs to as long as the default user asks for it. */
  #defaultChanged(): void {
    const { needsAuth } = this;
    for (const client of this.#server.clients.byId.values()) {
      if (client.user !== null) client.setNeedsAuth(needsAuth && !client.isAuthenticated);
    }
  }

  #endClients(isMeant: (user: User) => boolean): void {
    for (const client of [...this.#server.clients.byId.values()]) {
      if (client.user === null || !isMeant(client.user)) continue;
      // Should it do anything before it has ended, such as the rest of a transaction, it is nobody.
      client.become(this.#nobody, false);
      client.setNeedsAuth(true);
      this.#end(client, "its user was removed");
    }
  }

  #end(client: Client, cause: string): void {
    // A connection that ends itself this way is answered first.
    if (client === this.#server.dispatcher.runningClient) client.isClosing = true;
    else {
      client.closeCause = cause;
      client.transport.close(false);
    }
  }

  /** Ends subscribers of `user` that could not subscribe to what they have as `next`. */
  #endSubscribers(user: User, next: User): void {
    const { hub, clients } = this.#server;
    if (next.selectors.some(({ allChannels }) => allChannels)) return;
    const patterns = next.selectors.flatMap(({ channelPatterns }) => channelPatterns);
    const isKept = user.selectors.every(({ allChannels, channelPatterns }) =>
      !allChannels &&
      channelPatterns.every(({ text }) => patterns.some((kept) => kept.text === text))
    );
    if (isKept) return;
    for (const client of [...clients.byId.values()]) {
      if (client.user !== user || !client.isSubscriber) continue;
      const isAllowed = (name: Uint8Array, isPattern: boolean) =>
        isAllowedChannel(patterns, name, 0, name.length, isPattern);
      if (!hub.hasOnly(client, isAllowed)) {
        this.#end(client, "it may not hear its channels any more");
      }
    }
  }

  // -- who a client is ---------------------------------------------------------------------------

  /** Whether clients have to authenticate before anything else. */
  get needsAuth(): boolean {
    const { isNoPass, isOn } = this.users.default;
    return !isNoPass || !isOn;
  }

  /** Makes a client who it is when it comes: the default user, authenticated if that needs no password. */
  admit(client: Client): void {
    const { needsAuth } = this;
    client.become(this.users.default, !needsAuth);
    client.setNeedsAuth(needsAuth);
  }

  /**
   * Makes a client, which has been admitted, the user that its certificate names. Where that is none, or
   * one that is off, it stays who it is, and the log says so.
   */
  admitByCertificate(client: Client, name: string): void {
    const user = this.users.find(name);
    if (user !== null && user.isOn) {
      client.become(user, true);
      client.setNeedsAuth(false);
      return;
    }
    const { accessLog, keyspace, clock } = this.#server;
    const who = client.info(keyspace.steadyMs);
    accessLog.add("tls-cert", "toplevel", "certificate", name, who, clock.now());
  }

  /** Makes a client this user, if the password is right. */
  authenticate(client: Client, name: string, password: string): boolean {
    const user = this.users.find(name) ?? this.#nobody;
    if (!user.accepts(password, this.#server.runtime.isSameSecret)) return false;
    client.become(user, true);
    client.setNeedsAuth(false);
    return true;
  }

  // -- the question ------------------------------------------------------------------------------

  /**
   * DENIED_*: what keeps the client from this call. A refusal is counted and entered in the log, as of
   * `context`; `deniedWord` tells more of it.
   */
  check(
    client: Client,
    command: Command,
    words: Words,
    context: AccessLogEntry["context"],
  ): number {
    const { user } = client;
    if (user === null) return DENIED_NOTHING;
    const denied = checkAccess(user, command, words);
    if (denied === DENIED_NOTHING) return DENIED_NOTHING;
    const { accessLog, keyspace } = this.#server;
    const isAboutWord = denied === DENIED_KEY || denied === DENIED_CHANNEL;
    accessLog.add(
      denied === DENIED_KEY ? "key" : denied === DENIED_CHANNEL ? "channel" : "cmd",
      context,
      isAboutWord ? words.beginning(deniedWord, NAME_BYTES_MAX) : command.fullName,
      user.name,
      (client.caller ?? client).info(keyspace.steadyMs),
      keyspace.clock.now(),
    );
    return denied;
  }
}

/** A rule as the log may show it: passwords are left out. */
export function shownRule(rule: string): string {
  return /^[<>]/.test(rule) ? `${rule[0]}(hidden)` : rule;
}

/** What is wrong with a line of the configuration that describes a user, as far as it can be told of it alone. */
export function userLineProblem(
  words: readonly string[],
  catalog: CommandCatalog,
  allChannels: boolean,
): string | null {
  const [name, ...rules] = words;
  try {
    new Users(catalog, () => allChannels).tried(`${name} `, rules);
    return null;
  } catch (error) {
    if (error instanceof BadRule) {
      // What is not known now may be so at the start, which says it then.
      if (error.error.problem === "unknown") return null;
      return `Error in user declaration '${shownRule(error.rule)}': ${problemOfRules(error)}`;
    }
    if (error instanceof UnmatchedBracket) {
      return `Error in user declaration '${shownRule(error.rule)}': ${error.message}`;
    }
    throw error;
  }
}

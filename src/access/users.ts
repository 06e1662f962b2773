/**
 * All users by name. There is always one, `default`, who may do everything until somebody says otherwise.
 *
 * What changes here becomes of effect for clients through dispatch/access_control.ts.
 */

import type { CommandCatalog } from "./catalog.ts";
import { applyRule, applyRules, type RuleContext } from "./user_rules.ts";
import { DEFAULT_USER, User } from "./user.ts";

export class Users {
  /** The object stays the same, whatever becomes of the user. */
  readonly default: User;
  #byName = new Map<string, User>();

  /** `allChannels` says whether what is new allows all channels (`acl-pubsub-default`). */
  constructor(readonly catalog: CommandCatalog, readonly allChannels: () => boolean) {
    this.default = newDefaultUser(catalog);
    this.#byName.set(DEFAULT_USER, this.default);
  }

  get context(): RuleContext {
    return { allChannels: this.allChannels() };
  }

  /** The user of this name (latin1), or null. */
  find(name: string): User | null {
    return this.#byName.get(name) ?? null;
  }

  /** All users, in the order of their names. */
  all(): User[] {
    return [...this.#byName.values()].sort((a, b) =>
      a.name < b.name ? -1 : a.name > b.name ? 1 : 0
    );
  }

  get count(): number {
    return this.#byName.size;
  }

  /**
   * What these rules would make of a user, or of a new one of that name.
   * @throws BadRule, UnmatchedBracket
   */
  tried(name: string, rules: readonly string[]): User {
    const draft = this.find(name)?.draft() ?? new User(name, this.catalog, this.allChannels());
    applyRules(draft, rules, this.context);
    return draft;
  }

  /** Makes a user what `tried` has answered. */
  put(tried: User): User {
    const known = this.find(tried.name);
    if (known === null) {
      this.#byName.set(tried.name, tried);
      return tried;
    }
    known.become(tried);
    return known;
  }

  /** Removes a user, who must not be `default`; answers with it, or null where there is none. */
  remove(name: string): User | null {
    const user = this.find(name);
    this.#byName.delete(name);
    return user;
  }

  /**
   * Replaces all users by others, who may do without a default one: then it is as at first. Answers with
   * those who have gone, which are all that were there but the default one.
   */
  replaceAll(users: readonly User[]): User[] {
    const gone = this.all().filter((user) => user !== this.default);
    const others = users.filter(({ name }) => name !== DEFAULT_USER);
    this.default.become(
      users.find(({ name }) => name === DEFAULT_USER) ?? newDefaultUser(this.catalog),
    );
    this.#byName = new Map([this.default, ...others].map((user) => [user.name, user]));
    return gone;
  }

  /** `requirepass`: the one password of the default user; none if null. */
  setDefaultPassword(password: string | null): void {
    const { context, default: user } = this;
    applyRule(user, "resetpass", context);
    applyRule(user, password === null || password === "" ? "nopass" : `>${password}`, context);
  }
}

/** The default user as long as nothing is said of it. */
function newDefaultUser(catalog: CommandCatalog): User {
  const user = new User(DEFAULT_USER, catalog, true);
  applyRules(user, ["+@all", "~*", "&*", "on", "nopass"], { allChannels: true });
  return user;
}

/**
 * The configuration in use: read at the start from file, standard input and command line, shown by
 * CONFIG GET, changed by CONFIG SET, written back by CONFIG REWRITE.
 *
 * Beside the path of a request: parts of the server read values without any parsing. What reads a
 * value often keeps its `Setting` and looks at `.value`, a plain field; what has to do something
 * when a value changes (listen elsewhere, open another log) registers with `bind`.
 */

import { isAbsolute, join } from "@std/path";
import { latin1 } from "../base/bytes.ts";
import { globMatch } from "../base/glob.ts";
import { ConfigValueError, fileWords, NO_OUTPUT_LIMITS, type Parsed, splitValue } from "./kinds.ts";
import { ConfigError, fromText, LineWalker, type Place, readConfigFile, toPath } from "./parse.ts";
import type { FileInfo, Files, Runtime } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
import {
  type Directive,
  DIRECTIVE_NAMES,
  type DirectiveName,
  DIRECTIVES,
  FILE_ONLY,
  NAMES,
  nearestName,
  refusalOf,
  type ValueOf,
} from "./table.ts";

/** A directive's value in use. The object stays the same for the life of its Config. */
export class Setting<T> {
  value!: T;
  /** The value as CONFIG GET shows it. */
  text = "";

  constructor(readonly name: DirectiveName, readonly directive: Directive<T>) {}
}

/** What the command line asks for; see arguments.ts. */
export interface Start {
  /** The absolute path of the configuration file; null to run without one. */
  readonly file: string | null;
  /** Whether more configuration is to be read from standard input, after the file. */
  readonly fromStdin: boolean;
  /** The options as lines of a configuration file, read last; a byte string. */
  readonly options: string;
}

/** What the loading of a configuration needs of the outside. */
export interface LoadSurroundings {
  /** The folder that relative paths count from; the working folder if absent. */
  folder?: string;
  /** Reads standard input to its end. */
  readStdin?: () => Uint8Array;
  /** Whether a command of this name (lower case) exists; if absent, renames are not checked. */
  isCommand?: (name: string) => boolean;
  /**
   * What is wrong with the words behind `user`, or null; if absent, they are not checked. Told whether new
   * users may use all channels.
   */
  userProblem?: (words: readonly string[], allChannels: boolean) => string | null;
}

/** Who sends a CONFIG SET, and when. */
export interface SetCircumstances {
  /** Whether the client is on this machine: `local` of enable-protected-configs asks. */
  readonly isLocal: boolean;
  /** Whether a dataset is being loaded. */
  readonly isLoading: boolean;
}

/** The values in use of some directives. */
export type Values<N extends DirectiveName> = { readonly [K in N]: ValueOf<K> };

/** Puts values into effect; answers with a message to refuse them. */
export type Apply<N extends DirectiveName> = (values: Values<N>) => string | void;

/** What a program gives for a directive: a text as CONFIG SET takes it, or its words one by one. */
export type DirectiveValue = string | number | boolean | readonly string[];

/** A directive that a program gives stands in no line. */
const NO_PLACE: Place = { source: "", line: 0, text: "" };

/** A line that would have stopped the start, had it not been for `--ignore-unsupported yes`. */
export interface Ignored {
  /** The directive, without its value, which may be a secret. */
  readonly name: string;
  readonly reason: string;
}

/** A `rename-command` line. An empty `to` removes the command. Names in lower case. */
export interface CommandRename {
  readonly from: string;
  readonly to: string;
}

/** A line that describes a user. */
export interface UserLine {
  /** The name and the rules; byte strings. */
  readonly words: readonly string[];
  /** Without the rules, which may have passwords. */
  readonly place: Place;
}

/** Names that patterns of CONFIG GET are tried on, and their bytes. */
const SHOWN_NAMES = [...NAMES]
  .filter(([_, directive]) => !DIRECTIVES[directive].hidden)
  .map(([name]) => ({ name, bytes: latin1(name) }));

/** All directives with their values, and the file they came from. */
export class Config {
  /** The absolute path of the configuration file; null if the server runs without. */
  file: string | null = null;
  /** The `rename-command` lines, in order. */
  readonly renames: CommandRename[] = [];
  /** What `--ignore-unsupported yes` has let pass, in order. */
  readonly ignored: Ignored[] = [];
  /** The `user` lines, in order. */
  readonly users: UserLine[] = [];
  /** The lines that describe all users as they are, none where they are kept in another file; null if unknown. */
  userLines: (() => readonly string[]) | null = null;
  readonly #settings = new Map<DirectiveName, Setting<unknown>>();
  readonly #defaults = new Map<DirectiveName, Parsed<unknown>>();
  readonly #applies = new Map<DirectiveName, (() => string | void)[]>();
  /** Those that somebody has given a value. */
  readonly #given = new Set<DirectiveName>();

  /** The defaults. `folder`, an absolute path, is what `dir` is until set. */
  constructor(
    readonly runtime: Runtime,
    folder: string = runtime.process.workingFolder,
  ) {
    for (const name of DIRECTIVE_NAMES) {
      const directive = DIRECTIVES[name] as Directive<unknown>;
      const parsed = name === "dir"
        ? { value: fromText(folder), text: fromText(folder) }
        : directive.kind.parse(
          splitValue(directive.kind, directive.default),
          NO_OUTPUT_LIMITS,
          false,
        );
      const setting = new Setting(name, directive);
      put(setting, parsed);
      this.#settings.set(name, setting);
      this.#defaults.set(name, parsed);
    }
  }

  /** The configuration that a command line asks for. Throws a ConfigError. */
  static load(
    runtime: Runtime,
    start: Start,
    surroundings: LoadSurroundings = {},
  ): Config {
    const folder = surroundings.folder ?? runtime.process.workingFolder;
    const config = new Config(runtime, folder);
    config.file = start.file;
    const loader = new Loader(config, folder, surroundings);
    if (start.file !== null) {
      loader.walk({ name: start.file, bytes: readConfigFile(runtime.files, start.file) });
    }
    if (start.fromStdin) {
      const bytes = surroundings.readStdin?.() ?? runtime.process.readStandardInput();
      loader.walk({ name: "standard input", bytes });
    }
    loader.walk({ name: COMMAND_LINE, bytes: latin1(start.options) });
    loader.refuse();
    return config;
  }

  /**
   * The defaults but for these directives, each with its value as CONFIG SET takes it, or its words one
   * by one. Throws a ConfigError, which has no place.
   */
  static of(
    runtime: Runtime,
    directives: Readonly<Record<string, DirectiveValue>>,
    surroundings: LoadSurroundings = {},
  ): Config {
    const folder = surroundings.folder ?? runtime.process.workingFolder;
    const config = new Config(runtime, folder);
    const loader = new Loader(config, folder, surroundings);
    for (const [name, value] of Object.entries(directives)) {
      const words = typeof value === "object"
        ? value
        : [typeof value === "boolean" ? yesOrNo(value) : value];
      try {
        loader.take([name.toLowerCase(), ...words.map((word) => fromText(String(word)))], NO_PLACE);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        const hint = error.hint === "" ? "" : ` (${error.hint})`;
        throw new ConfigError(`${name}: ${error.message}${hint}`, null);
      }
    }
    try {
      loader.refuse();
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      throw new ConfigError(
        `${error.message} (start all the same: "ignore-unsupported": true)`,
        null,
      );
    }
    return config;
  }

  /** The setting of a directive, to keep where its value is read often. */
  setting<N extends DirectiveName>(name: N): Setting<ValueOf<N>> {
    return this.#settings.get(name) as Setting<ValueOf<N>>;
  }

  /** The value in use. */
  value<N extends DirectiveName>(name: N): ValueOf<N> {
    return this.setting(name).value;
  }

  /**
   * CONFIG GET: pairs of name and value. Names without wildcards are answered as they were spelt,
   * hidden ones too; patterns match in any case. Each name comes once.
   */
  get(patterns: readonly string[]): [name: string, value: string][] {
    const asked = new Map<string, string>();
    for (const pattern of patterns) {
      const folded = pattern.toLowerCase();
      if (!/[*?[]/.test(pattern)) {
        if (NAMES.has(folded) && !asked.has(folded)) asked.set(folded, pattern);
        continue;
      }
      const bytes = latin1(pattern);
      for (const { name, bytes: nameBytes } of SHOWN_NAMES) {
        if (globMatch(bytes, 0, bytes.length, nameBytes, 0, name.length, true)) {
          if (!asked.has(name)) asked.set(name, name);
        }
      }
    }
    const found: [name: string, value: string][] = [];
    for (const [name, shown] of asked) found.push([shown, this.setting(NAMES.get(name)!).text]);
    return found;
  }

  /**
   * CONFIG SET: changes all pairs or none. Answers null when done, else the error reply without its
   * dash. Values are byte strings. Whoever registered for a changed directive is called after all
   * are set; if one refuses, the old values come back and those called already are called again.
   */
  set(
    pairs: readonly (readonly [name: string, value: string])[],
    circumstances: SetCircumstances = { isLocal: true, isLoading: false },
  ): string | null {
    const changes: { name: string; setting: Setting<unknown>; value: string }[] = [];
    for (const [given, value] of pairs) {
      const name = given.toLowerCase();
      const directive = NAMES.get(name);
      if (directive === undefined) {
        return `ERR Unknown option or number of arguments for CONFIG SET - '${given}'`;
      }
      const refusal = this.#refusal(directive, circumstances);
      if (refusal !== null) return setError(given, refusal);
      if (DIRECTIVES[directive].deniedWhileLoading && circumstances.isLoading) {
        return "LOADING Redis is loading the dataset in memory";
      }
      if (changes.some((change) => change.name === name)) {
        return setError(name, "duplicate parameter");
      }
      changes.push({ name, setting: this.setting(directive), value });
    }

    const before = changes.map(({ setting }) => ({ value: setting.value, text: setting.text }));
    const restore = () => {
      // From the last to the first: two names may mean one setting.
      for (let i = changes.length - 1; i >= 0; i--) put(changes[i].setting, before[i]);
    };
    const toApply = new Map<() => string | void, string>();
    for (const { name, setting, value } of changes) {
      const old = setting.text;
      try {
        put(setting, this.read(setting, splitValue(setting.directive.kind, value), false));
        // What is there already, by --ignore-unsupported yes, may be set again.
        if (setting.text !== old) this.#checkSupport(setting);
      } catch (error) {
        restore();
        if (error instanceof ConfigValueError) return setError(name, error.message);
        throw error;
      }
      if (setting.text === old && !setting.directive.isFile) continue;
      for (const apply of this.#applies.get(setting.name) ?? []) {
        if (!toApply.has(apply)) toApply.set(apply, name);
      }
    }

    const applied: (() => string | void)[] = [];
    for (const [apply, name] of toApply) {
      applied.push(apply);
      const refusal = apply();
      if (typeof refusal !== "string") continue;
      restore();
      for (const again of applied) again();
      return setError(name, refusal);
    }
    for (const { setting } of changes) this.noteGiven(setting.name);
    return null;
  }

  /**
   * Has `apply` called now, and when CONFIG SET changes one of these directives, once for all of them.
   * It is called again when the change is taken back, so it has to go by the values it then finds. It
   * is given the values of these directives and no others: what is read is heard of.
   */
  bind<const N extends DirectiveName>(names: readonly N[], apply: Apply<N>): void {
    apply(this.onChange(names, apply));
  }

  /** As `bind`, but not called now; answers with the values, which stay those in use. */
  onChange<const N extends DirectiveName>(names: readonly N[], apply: Apply<N>): Values<N> {
    const values = {} as Values<N>;
    for (const name of names) {
      const setting = this.setting(name);
      Object.defineProperty(values, name, { get: () => setting.value, enumerable: true });
    }
    const applyValues = () => apply(values);
    for (const name of names) {
      const applies = this.#applies.get(name);
      if (applies) applies.push(applyValues);
      else this.#applies.set(name, [applyValues]);
    }
    return values;
  }

  /**
   * Sets a value on the server's own behalf, as REPLICAOF does. It is not asked whether the
   * directive may be changed, and whoever registered is not called. Throws a ConfigValueError.
   */
  assign(name: DirectiveName, words: readonly string[]): void {
    const setting: Setting<unknown> = this.setting(name);
    put(setting, this.read(setting, words, false));
  }

  /** Whether a directive's value is its default. */
  isDefault(name: DirectiveName): boolean {
    return this.setting(name).text === this.#defaults.get(name)!.text;
  }

  /** Whether somebody has given a directive its value, be it the default: in a file, as an argument, by CONFIG SET. */
  isGiven(name: DirectiveName): boolean {
    return this.#given.has(name);
  }

  /** Notes that a directive is given. */
  noteGiven(name: DirectiveName): void {
    this.#given.add(name);
  }

  /** The default of a directive. */
  defaultOf(name: DirectiveName): Parsed<unknown> {
    return this.#defaults.get(name)!;
  }

  /**
   * What these words would make of a setting, which stays as it is. `previous` is what they add to,
   * the value in use if absent. Throws a ConfigValueError.
   */
  read<T>(
    setting: Setting<T>,
    words: readonly string[],
    adding: boolean,
    previous: T = setting.value,
  ): Parsed<T> {
    const { kind } = setting.directive;
    if (!kind.multi && words.length !== 1) throw new ConfigValueError("wrong number of arguments");
    const parsed = kind.parse(words, previous, adding);
    if (setting.name !== "dir") return parsed;
    const text = resolveFolder(this.runtime.files, parsed.text, this.setting("dir").text);
    return { value: text as T, text };
  }

  /** Throws a ConfigValueError when a value asks for what would protect or keep data and is not there. */
  #checkSupport({ directive: { refused }, value }: Setting<unknown>): void {
    if (refused === null || !refused.isFor(value)) return;
    throw new ConfigValueError(`${refused.reason}; ${refused.wayOut}`);
  }

  #refusal(name: DirectiveName, { isLocal }: SetCircumstances): string | null {
    const { settable } = DIRECTIVES[name] as Directive<unknown>;
    if (settable === true) return null;
    if (settable === false) return "can't set immutable config";
    const allowed = this.value("enable-protected-configs");
    return allowed === "yes" || (allowed === "local" && isLocal)
      ? null
      : "can't set protected config";
  }
}

const COMMAND_LINE = "command line";

/** Said once, under all lines that stop a start. */
const IGNORE_HINT = "To start all the same, without what these lines ask for, add " +
  "'--ignore-unsupported yes' to the command line.";

/** Takes the lines of one start into a Config. */
class Loader extends LineWalker {
  readonly #config: Config;
  readonly #isCommand: LoadSurroundings["isCommand"];
  readonly #userProblem: LoadSurroundings["userProblem"];
  /**
   * What this start has set so far, with the last line of it. (`save` adds up from the second time
   * on.)
   */
  readonly #named = new Map<DirectiveName, Place>();
  /** Lines that are no settings and may be refused: the words behind the name, in order. */
  readonly #fileOnly: { name: string; words: string[]; place: Place }[] = [];
  #ignoresUnsupported = false;

  constructor(config: Config, folder: string, { isCommand, userProblem }: LoadSurroundings) {
    super(config.runtime.files, folder, (words, place) => this.take(words, place));
    this.#config = config;
    this.#isCommand = isCommand;
    this.#userProblem = userProblem;
  }

  /** Takes one line of words. Throws a ConfigError. */
  take(words: readonly string[], place: Place): void {
    const [given, ...values] = words;
    const name = NAMES.get(given);
    if (name === undefined) return this.#takeFileOnly(given, values, place);
    const setting: Setting<unknown> = this.#config.setting(name);
    try {
      put(
        setting,
        this.#config.read(
          setting,
          fileWords(setting.directive.kind, values),
          this.#named.has(name),
        ),
      );
    } catch (error) {
      if (error instanceof ConfigValueError) throw new ConfigError(error.message, place);
      throw error;
    }
    this.#named.set(name, place);
    this.#config.noteGiven(name);
    if (name === "dir") this.folder = toPath(setting.text);
  }

  #takeFileOnly(name: string, values: string[], place: Place): void {
    switch (name) {
      case "rename-command":
        if (values.length === 2) return this.#rename(values, place);
        break;
      case "user":
        if (values.length >= 1) return this.#addUser(values, place);
        break;
      case "loadmodule":
        if (values.length >= 1) {
          this.#fileOnly.push({ name, words: values, place });
          return;
        }
        break;
      case "ignore-unsupported":
        if (values.length === 1) return this.#ignoreUnsupported(values[0], place);
        break;
      case "sentinel":
        throw new ConfigError("sentinel directive while not in sentinel mode", place);
      case "list-max-ziplist-entries":
      case "list-max-ziplist-value":
        if (values.length === 1) return;
        break;
    }
    const nearest = Object.hasOwn(FILE_ONLY, name) ? null : nearestName(name);
    throw new ConfigError(
      "Bad directive or wrong number of arguments",
      place,
      nearest === null ? "" : `Did you mean '${nearest}'?`,
    );
  }

  #ignoreUnsupported(value: string, place: Place): void {
    // A program that starts a server gives it as a directive like any other.
    if (place !== NO_PLACE && place.source !== COMMAND_LINE) {
      throw new ConfigError("'ignore-unsupported' belongs on the command line", place);
    }
    const folded = value.toLowerCase();
    if (folded !== "yes" && folded !== "no") {
      throw new ConfigError("argument must be 'yes' or 'no'", place);
    }
    this.#ignoresUnsupported = folded === "yes";
  }

  /**
   * Looks at what has been read, when all has been: what came later may have taken back what came
   * before. Throws an UnsupportedError that names all lines asking for what would protect or keep
   * data and is not there, unless that is to be ignored.
   */
  refuse(): void {
    const config = this.#config;
    const errors: ConfigError[] = [];
    const look = (name: string, value: unknown, place: Place) => {
      const refusal = refusalOf(name);
      if (refusal === null || !refusal.isFor(value)) return;
      const { reason, wayOut } = refusal;
      if (this.#ignoresUnsupported) config.ignored.push({ name, reason });
      else errors.push(new ConfigError(`'${name}' is refused: ${reason}`, place, sentence(wayOut)));
    };
    for (const [name, place] of this.#named) look(name, config.setting(name).value, place);
    for (const { name, words, place } of this.#fileOnly) {
      look(name, words, place);
    }
    if (errors.length > 0) throw new UnsupportedError(errors);
    this.#checkUsers();
  }

  #addUser(words: string[], place: Place): void {
    // What stands behind the name may be a password.
    const shown = { ...place, text: `user ${words[0]} ...` };
    if (this.#config.users.some(({ words: [name] }) => name === words[0])) {
      throw new ConfigError(
        `Error in user declaration '${words[0]}': Duplicate user found. ` +
          "A user can only be defined once in config files",
        shown,
      );
    }
    this.#config.users.push({ words, place: shown });
  }

  #checkUsers(): void {
    const config = this.#config;
    const allChannels = config.value("acl-pubsub-default") === "allchannels";
    for (const { words, place } of config.users) {
      const problem = this.#userProblem?.(words, allChannels) ?? null;
      if (problem !== null) throw new ConfigError(problem, place);
    }
  }

  #rename(values: string[], place: Place): void {
    const [from, to] = values.map((word) => word.toLowerCase());
    if (this.#isCommand) {
      if (!this.#commandExists(from)) {
        throw new ConfigError("No such command in rename-command", place);
      }
      if (to !== "" && to !== from && this.#commandExists(to)) {
        throw new ConfigError("Target command name already exists", place);
      }
    }
    this.#config.renames.push({ from, to });
  }

  #commandExists(name: string): boolean {
    let exists = this.#isCommand!(name);
    for (const { from, to } of this.#config.renames) {
      if (from === name) exists = false;
      if (to === name) exists = true;
    }
    return exists;
  }
}

function yesOrNo(value: boolean): string {
  return value ? "yes" : "no";
}

/** Lines that ask for what would protect or keep data and is not there. */
export class UnsupportedError extends ConfigError {
  constructor(readonly errors: readonly ConfigError[]) {
    super(errors.map(({ message }) => message).join("; "), errors[0].place, IGNORE_HINT);
  }

  override report(): string {
    return ConfigError.reportAll(this.errors, this.hint);
  }
}

function sentence(text: string): string {
  return text[0].toUpperCase() + text.slice(1) + ".";
}

function put<T>(setting: Setting<T>, { value, text }: Parsed<T>): void {
  setting.value = value;
  setting.text = text;
}

/** The absolute path (as a byte string) of a folder that exists. Throws a ConfigValueError. */
function resolveFolder(files: Files, folder: string, from: string): string {
  const path = toPath(folder);
  if (path === "") throw new ConfigValueError("No such file or directory");
  const absolute = isAbsolute(path) ? path : join(toPath(from), path);
  let info: FileInfo | null;
  try {
    info = files.info(absolute);
  } catch (error) {
    throw new ConfigValueError(problemOf(error));
  }
  if (info === null) throw new ConfigValueError("No such file or directory");
  if (!info.isFolder) throw new ConfigValueError("Not a directory");
  return fromText(absolute.length > 1 ? absolute.replace(/\/+$/, "") || "/" : absolute);
}

function setError(name: string, message: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${message}`;
}

/** The record of who did what: admin calls that change something, refusals of the guard, new configuration, destructive steps. */

/** One thing that was done, or was stopped. */
export interface AuditEntry {
  /** `admin`: a call that changes something; `guard`: a refusal; `config`: new rules, outputs or guards; `step`: a destructive one; `undo`: a change taken back. */
  readonly kind: 'admin' | 'guard' | 'config' | 'step' | 'undo'
  /** Who wanted it: `rule <name>`, the name of an admin client, `unix`, `reload`. */
  readonly who: string
  /** What was to be done: the type of an action, `POST /admin/...`, `reload`. */
  readonly what: string
  /** What led to it: the id of the event, the reason of a refusal. */
  readonly why?: string
  /** What it was about, e.g. `pod/shop/web-1`. */
  readonly target?: string
  readonly uid?: string
  /** How it ended: an outcome, `refused`, a status. */
  readonly verdict: string
  readonly response?: string
  readonly trace?: string
}

/** Never rejects and never throws: a record that cannot be written is told in log and health. */
export interface Audit {
  append(entry: AuditEntry): void
  /** Why entries cannot be written now; undefined while they can. */
  readonly lastError?: string | undefined
}

export const NO_AUDIT: Audit = { append: () => {} }

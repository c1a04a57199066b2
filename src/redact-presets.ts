/** What secrets and personal data look like in command lines, addresses and logs. */

const raw = String.raw

export interface Preset {
  /** Words without which there is nothing to find: most texts are done with after these. */
  readonly hint: RegExp
  /** Of RE2. A group in front is kept, and one behind too; the rest is the secret. */
  readonly patterns: readonly string[]
}

/** Between a name and its value: `=`, `: `, `": `. */
const IS = raw`["']?\s*[=:]\s*`

/** Any arguments of one command. */
const ARGS = raw`\s(?:[^\n;|&]*?\s)?`

/** What follows a name: in quotes up to the other quote, and what hangs on that; else up to a blank. */
const valueOf = (...names: string[]): string[] => {
  const name = `(?:${names.join('|')})`
  return [
    raw`(?is)(${name}")(?:[^"\\]|\\.)*(?:(")[^\s"',;&})\]]*)?`,
    raw`(?is)(${name}')[^']*(?:(')[^\s"',;&})\]]*)?`,
    raw`(?is)(${name})[^\s"']\S*`,
  ]
}

/** Keys that are known by how they begin. */
const KEYS = [
  raw`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?`,
  raw`(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}`,
  raw`gh[pousr]_[A-Za-z0-9]{36,}`,
  raw`github_pat_[A-Za-z0-9_]{22,}`,
  raw`xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}`,
  raw`xapp-\d-[A-Za-z0-9-]{10,}`,
  raw`AIza[A-Za-z0-9_-]{35}`,
  raw`ya29\.[A-Za-z0-9_-]{10,}`,
  raw`GOCSPX-[A-Za-z0-9_-]{20,}`,
]

export const PRESETS = {
  tokens: [
    {
      hint: /authorization|bearer/i,
      patterns: [
        raw`(?i)(authorization${IS}["']?(?:basic|bearer|token|apikey)\s+)[^\s"']+`,
        raw`(?i)(bearer\s+)[a-z0-9._~+/-]{16,}=*`,
      ],
    },
    {
      hint: /token|api[_-]?key|secret/i,
      patterns: valueOf(
        raw`(?:access|auth|api|refresh|session|security|bot)[_-]?token${IS}`,
        raw`(?:api[_-]?key|secret[_-]?(?:access[_-]?)?key|client[_-]?secret)${IS}`,
      ),
    },
    { hint: /hooks\.slack\.com/, patterns: [raw`(hooks\.slack\.com/(?:services|workflows|triggers)/)[A-Za-z0-9/_-]+`] },
    {
      hint: /eyJ|AKIA|ASIA|ABIA|ACCA|gh[pousr]_|github_pat_|xox|xapp-|AIza|ya29\.|GOCSPX-/,
      patterns: [KEYS.join('|')],
    },
    // Apart: in one expression with the keys it is quadratic in the number of its matches.
    {
      hint: /-----BEGIN /,
      patterns: [raw`-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?`],
    },
  ],
  passwords: [
    {
      hint: /pass|pwd|mysql|mariadb|mongo|docker login|podman login|redis-cli/i,
      patterns: valueOf(
        raw`(?:pass(?:word|wd|phrase)|\bpass|[_-](?:pass|pwd))${IS}`,
        raw`(?:^|\s)--?[\w-]*(?:pass(?:word|wd|phrase)?|pwd)\s+`,
        raw`(?:mysql|mariadb|sshpass|mongo|docker login|podman login)\S*${ARGS}(?-i:-p)\s*`,
        raw`redis-cli${ARGS}(?-i:-a)\s*`,
      ),
    },
    {
      hint: /curl/i,
      patterns: [raw`(?i)(curl${ARGS}(?:-u|--user|--proxy-user)[\s=]*["']?[^\s:"']+:)[^\s"']+`],
    },
    // Neither a port (`ssh -p 22`, `-p 80:80`) nor a path (`mkdir -p /tmp/x`).
    { hint: /\s-p\s/, patterns: [raw`(\s-p\s+)(?:[^\s\d/.~-]\S*|\d[\d:.]*[^\s\d:.]\S*)`] },
    { hint: /:\/\//, patterns: [raw`(?i)([a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/]+(@)`] },
  ],
  emails: [{ hint: /@/, patterns: [raw`[\pL\pN._%+-]+@(?:[\pL\pN-]+\.)+\pL{2,}`] }],
} as const satisfies Readonly<Record<string, readonly Preset[]>>

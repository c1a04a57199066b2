import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type GoDot, goTemplate, GoTemplateError } from '../../src/config/go-template.ts'
import { type FieldValue, parseEvent, textOf } from '../../src/event.ts'
import { createTemplates } from '../../src/template.ts'

const event = parseEvent(
  {
    rule: 'Terminal shell',
    priority: 'warning',
    time: '2026-01-31T12:00:00.123456789Z',
    output: 'a <shell>',
    tags: ['a', 'b'],
    source: 'syscall',
    output_fields: {
      'user.name': 'root',
      'proc.pid': 42,
      empty: '',
      none: null,
      no: false,
      zero: 0,
      list: ['x', 'y'],
      map: { k: 'v' },
      'a"b': 'quote',
      'b\\c': 'slash',
      't}}': 'brace',
    },
  },
  { id: '1', input: 'http' },
)

const templates = createTemplates()
const render = (text: string, dot: GoDot = 'event'): string =>
  textOf(templates.compile(goTemplate(text, dot)).render({ event }, 'empty') as FieldValue)

describe('translation to Liquid', () => {
  it.each<[string, GoDot, string]>([
    [
      'Alert : rule *{{ .Rule }}* by *{{ index .OutputFields "user.name" }}*',
      'event',
      'Alert : rule *{{ rule }}* by *{{ fields["user.name"] }}*',
    ],
    ['{{ or (index . "k8s.ns.labels.foo") "bar" }}', 'fields', '{{ fields["k8s.ns.labels.foo"] | default: "bar" }}'],
    ['{{ if eq .Priority "Critical" }}!{{ end }}', 'event', '{% if priority == "Critical" %}!{% endif %}'],
    [
      '{{ if .Hostname }}on {{ .Hostname }}{{ else }}-{{ end }}',
      'event',
      '{% if hostname and hostname != empty %}on {{ hostname }}{% else %}-{% endif %}',
    ],
    ['{{ printf "%s: %v" .Rule .Output }}', 'event', '{{ rule }}: {{ output }}'],
    ['{{ range .Tags }}{{ . }} {{ end }}', 'event', '{% for go1 in tags %}{{ go1 }} {% endfor %}'],
  ])('%s', (text, dot, liquid) => expect(goTemplate(text, dot)).toBe(liquid))

  it.each([
    [
      '{{ .UUID }}|{{ .Output }}|{{ .Priority }}|{{ .Source }}|{{ .Hostname }}|{{ .Time }}',
      '|a <shell>|Warning|syscall||2026-01-31T12:00:00.123456789Z',
    ],
    ['{{ .Tags }} {{ index .Tags 1 }} {{ len .Tags }}', '[a b] b 2'],
    ['{{ index .OutputFields "proc.pid" }} {{ .OutputFields.empty }}{{ index .OutputFields "missing" }}', '42 '],
    [
      '{{ index .OutputFields "a\\"b" }} {{ index .OutputFields `b\\c` }} {{ index .OutputFields "t}}" }}',
      'quote slash brace',
    ],
    ['{{ index .OutputFields "map" "k" }} {{ index (index .OutputFields "map") "k" }}', 'v v'],
    ['{{ .Priority.String }} {{ (.Priority).String }}', 'Warning Warning'],
    ['a  {{- " b " -}}  c {{/* not shown */}}d{{- /* nor this */ -}} e', 'a b c de'],
    ['{{ "{{" }} {{ "{%" }} {%{{ "x" }}%} {{ "}}" }}{ {{- .Rule }}', '{{ {% {%x%} }}{Terminal shell'],
    ['{{ range $i, $t := .Tags }}{{ if $i }}, {{ end }}{{ $i }}={{ $t }}{{ end }}', '0=a, 1=b'],
    ['{{ range $k, $v := index .OutputFields "map" }}{{ $k }}{{ $v }}{{ else }}none{{ end }}', 'kv'],
    ['{{ range index .OutputFields "missing" }}x{{ else }}none{{ end }}', 'none'],
    ['{{ range $k, $v := .OutputFields }}{{ if eq $k "empty" }}{{ break }}{{ end }}{{ $k }};{{ end }}', 'a"b;b\\c;'],
    [
      '{{ range .OutputFields }}{{ continue }}x{{ end }}{{ with .Tags }}{{ len . }} of {{ $.Rule }}{{ end }}',
      '2 of Terminal shell',
    ],
    ['{{ with $u := index .OutputFields "user.name" }}{{ $u }}={{ . }}{{ else }}nobody{{ end }}', 'root=root'],
    ['{{ with index .OutputFields "empty" }}x{{ else with .Rule }}{{ . }}{{ end }}', 'Terminal shell'],
    ['{{ with index .OutputFields "none" }}x{{ else }}{{ .Rule }}{{ end }}', 'Terminal shell'],
    ['{{ $x := "a" }}{{ if .Rule }}{{ $x = .Priority }}{{ end }}{{ $x }}', 'Warning'],
    ['{{ $e := . }}{{ with .Tags }}{{ $e.Rule }}{{ end }}', 'Terminal shell'],
    ['{{ if index .OutputFields "no" }}y{{ else if index .OutputFields "zero" }}zero{{ end }}', 'zero'],
    [
      '{{ eq .Rule "x" "Terminal shell" }} {{ ne .Rule "x" }} {{ not .Hostname }} {{ eq (index .OutputFields "proc.pid") 42 }}',
      'true true true true',
    ],
    ['{{ and .Rule .Tags }} {{ and .Hostname .Rule }}| {{ or .Hostname .Rule }}', '["a","b"] | Terminal shell'],
    ['{{ if and (eq .Rule "Terminal shell") (or .Hostname (not .Hostname)) (gt (len .Tags) 1) }}y{{ end }}', 'y'],
    ['{{ lt .Rule "Z" }} {{ ge (len .Output) 9 }} {{ le 1 2 }}', 'true true true'],
    ['{{ .Rule | printf "%q %d%%" "x" | print "<" }}', '<"x" Terminal shell%'],
    [
      '{{ html "<" .Output }} {{ urlquery "a/b" }} {{ println .Rule "x" }}',
      '&lt;a &lt;shell&gt; a%2Fb Terminal shell x\n',
    ],
    ['{{ \'A\' }} {{ 1_000 }} {{ nil }}{{ true }} {{ printf "%s" .Tags }}', '65 1000 true [a b]'],
    ['{{ $p := printf "%s-%s" .Rule .Tags }}{{ len $p }} {{ $p }}', '20 Terminal shell-[a b]'],
    ['{{ "\\u0041\\x42\\103\\t|" }}', 'ABC\t|'],
  ])('%s', (text, shown) => expect(render(text)).toBe(shown))

  it('has the fields as dot in a templated field', () => {
    expect(
      render('{{ .empty }}{{ index . "proc.pid" }} {{ $.zero }} {{ if .no }}y{{ end }}{{ len . }}', 'fields'),
    ).toBe('42 0 11')
  })

  it.each([
    ['{{ .Nope }}', '1:4 an event has no member `.Nope`'],
    ['x\n {{ if .Rule }}y', '2:5 `if` has no `end`'],
    ['{{ end }}', '1:1 this `end` belongs to nothing'],
    ['{{ .Rule', '1:1 this `{{` is not closed'],
    ['{{ }}', '1:1 an action is empty'],
    ['{{ template "x" }}', '1:4 `template` has no counterpart'],
    ['{{ .Rule ? }}', '1:10 this means nothing here'],
    ['{{ js .Rule }}', '1:4 the function `js` has no counterpart'],
    ['{{ .Time.Format "15:04" }}', '1:4 `.Format` has no counterpart here'],
    ['{{ (.Rule }}', '1:1 a `(` is not closed'],
    ['{{ .Rule) }}', '1:9 this `)` has no `(`'],
    ['{{ .Rule | }}', '1:1 a value is missing'],
    ['{{ .Rule .Output }}', '1:10 only a function takes arguments'],
    ['{{ $x }}', '1:4 there is no variable $x'],
    ['{{ $x = 1 }}', '1:9 there is no variable $x'],
    ['{{ . }}', '1:4 the event as a whole cannot be printed; name its members'],
    [
      '{{ if gt (index .OutputFields "n") 3 }}{{ end }}',
      '1:7 fields are texts to Go, whose order with a number has no meaning',
    ],
    ['{{ ge .Priority 4 }}', '1:4 fields are texts to Go, whose order with a number has no meaning'],
    ['{{ eq .Priority 4 }}', '1:4 a priority is compared by its name'],
    ['{{ printf "%5.2f" .Rule }}', '1:4 `%5` of `printf` has no counterpart; there are %s, %v, %d and %q'],
    ['{{ printf "%s" }}', '1:4 `printf` lacks a value for %s'],
    ['{{ printf .Rule }}', '1:4 `printf` takes its format as a text in quotes'],
    ['{{ printf "x" .Rule }}', '1:4 `printf` has more values than its format'],
    ['{{ range .Rule }}{{ end }}', '1:10 this is no list and no map'],
    ['{{ index .Rule 1 }}', '1:4 `index` takes from a map or a list, such as `.OutputFields` or `.Tags`'],
    ['{{ len 3 }}', '1:4 `len` takes a text, a list or a map'],
    ['{{ if .Rule }}{{ else x }}{{ end }}', '1:23 nothing but `if` can stand after `else`'],
  ])('refuses %s', (text, place) => {
    const refused = (): string => {
      try {
        return goTemplate(text, 'event')
      } catch (error) {
        expect(error).toBeInstanceOf(GoTemplateError)
        return (error as Error).message.replace(/^line (\d+), column (\d+): /, '$1:$2 ')
      }
    }
    expect(refused()).toBe(place)
  })
})

/** Templates made at random, and what they print by Go's rules, where what is missing is empty. */
type Made = { readonly go: string; readonly value: string }

const FIELDS: Readonly<Record<string, string>> = { a: 'x', b: '', c: '0', 'd.e': 'a {{ b', f: '{% raw %}"\\' }
const words = fc.constantFrom('', 'x', '0', 'a b', '"q"', '{%', '}}', '\\', '%}', 'é', '{')
const goText = (text: string): string => JSON.stringify(text)

const { value: values } = fc.letrec<{ value: Made }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    words.map((text) => ({ go: goText(text), value: text })),
    fc.constantFrom(...Object.keys(FIELDS), 'missing').map((key) => ({
      go: `(index .OutputFields ${goText(key)})`,
      value: FIELDS[key] ?? '',
    })),
    fc.array(tie('value'), { minLength: 1, maxLength: 3 }).map((all) => ({
      go: `(or ${all.map(({ go }) => go).join(' ')})`,
      value: all.find(({ value }) => value !== '')?.value ?? all.at(-1)?.value ?? '',
    })),
    fc.array(tie('value'), { minLength: 1, maxLength: 3 }).map((all) => ({
      go: `(and ${all.map(({ go }) => go).join(' ')})`,
      value: (all.find(({ value }) => value === '') ?? all.at(-1))?.value ?? '',
    })),
    fc.tuple(tie('value'), tie('value')).map(([one, other]) => ({
      go: `(printf "%s-%v%%" ${one.go} ${other.go})`,
      value: `${one.value}-${other.value}%`,
    })),
    fc.tuple(tie('value'), tie('value')).map(([one, other]) => ({
      go: `(${one.go} | print ${other.go})`,
      value: other.value + one.value,
    })),
  ),
}))

const conditions = fc.oneof(
  values.map(({ go, value }) => ({ go, holds: value !== '' })),
  fc
    .tuple(values, values)
    .map(([one, other]) => ({ go: `eq ${one.go} ${other.go}`, holds: one.value === other.value })),
  fc
    .tuple(values, values)
    .map(([one, other]) => ({ go: `ne ${one.go} ${other.go}`, holds: one.value !== other.value })),
  values.map(({ go, value }) => ({ go: `not ${go}`, holds: value === '' })),
  fc.tuple(values, values, values).map(([one, two, three]) => ({
    go: `and (eq ${one.go} ${two.go}) (or (not ${three.go}) (ne ${one.go} ${three.go}))`,
    holds: one.value === two.value && (three.value === '' || one.value !== three.value),
  })),
)

const nodes: fc.Arbitrary<Made> = fc.letrec<{ nodes: Made }>((tie) => ({
  nodes: fc
    .array(
      fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom('text', ' { ', '%}', '{% x', '}} ', '\n').map((text) => ({ go: text, value: text })),
        values.map(({ go, value }) => ({ go: `{{ ${go} }}`, value })),
        values.map(({ go, value }) => ({
          go: `{{ $v := ${go} }}{{ $v }}{{ len $v }}`,
          value: `${value}${value.length}`,
        })),
        fc.tuple(conditions, tie('nodes'), tie('nodes')).map(([{ go, holds }, one, other]) => ({
          go: `{{ if ${go} }}${one.go}{{ else }}${other.go}{{ end }}`,
          value: holds ? one.value : other.value,
        })),
        fc.tuple(values, tie('nodes')).map(([{ go, value }, other]) => ({
          go: `{{ with ${go} }}<{{ . }}>{{ else }}${other.go}{{ end }}`,
          value: value === '' ? other.value : `<${value}>`,
        })),
        tie('nodes').map((inner) => ({
          go: `{{ range $i, $t := .Tags }}{{ $i }}{{ $t }}{{ end }}{{ range $k, $v := .OutputFields }}{{ $k }}{{ end }}${inner.go}`,
          value: `0a1babcd.ef${inner.value}`,
        })),
      ),
      { maxLength: 4 },
    )
    .map((all) => ({
      go: all.map(({ go }) => go).join(''),
      value: all.map(({ value }) => value).join(''),
    })),
})).nodes

describe('any template', () => {
  const small = parseEvent({ ...event.toJSON(), output_fields: FIELDS }, { id: '1', input: 'http' })

  it('prints in Liquid what it prints by the rules of Go', () => {
    fc.assert(
      fc.property(nodes, ({ go, value }) => {
        // text that would begin an action of Go's stands apart from it
        fc.pre(!/\{\{\{|\{(?=\{\{)/.test(go))
        const shown = templates.compile(goTemplate(go, 'event')).render({ event: small }, 'empty')
        expect(textOf(shown as FieldValue)).toBe(value)
      }),
      { numRuns: 300 },
    )
  })

  it('is translated or refused with a place, whatever it is', () => {
    const noise = fc.array(
      fc.constantFrom(
        '{{',
        '}}',
        ' ',
        '.',
        '"',
        '(',
        ')',
        '|',
        'if',
        'end',
        'else',
        '$x',
        ':=',
        'range',
        'printf',
        '-',
        'x',
        '`',
        '\n',
      ),
    )
    fc.assert(
      fc.property(noise, (parts) => {
        try {
          templates.compile(goTemplate(parts.join(''), 'event'))
        } catch (error) {
          expect(error).toBeInstanceOf(GoTemplateError)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

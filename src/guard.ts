/** Judges every step that would change something, outside the rules: no rule file can switch it off. Fails closed. */
export { createGuard, type Guard, type GuardHost, type Question, type Refusal } from './guard/judge.ts'
export { createGuardMemory, type GuardMemory } from './guard/memory.ts'
export { type GuardSettings, guardSettings, readGuards, timeless } from './guard/settings.ts'

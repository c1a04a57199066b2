/** A condition as settings hold it: its text, or parsed already, as files give it with their lists and macros put in. */
import { z } from 'zod'
import { type Condition, parseCondition } from './condition.ts'

const isCondition = (value: unknown): boolean =>
  typeof value === 'string' || (typeof value === 'object' && value !== null && 'kind' in value)

/** The setting. In a file it is text. */
export const conditionSetting = () =>
  z.custom<string | Condition>(isCondition, 'must be a text').meta({ type: 'string' })

/** @throws ConditionError with the place of what is wrong */
export const parsed = (condition: string | Condition): Condition =>
  typeof condition === 'string' ? parseCondition(condition) : condition

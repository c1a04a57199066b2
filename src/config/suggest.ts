/** "Did you mean", for the settings of a file. */
export { editDistance, nearest, suggestion } from '../suggest.ts'

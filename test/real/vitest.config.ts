import { defineConfig } from 'vitest/config'

/** One file at a time: every part is a server or several, and each test measures waits of its own. */
export default defineConfig({
  test: {
    include: ['test/real/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    fileParallelism: false,
  },
})

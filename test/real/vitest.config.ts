import { defineConfig } from 'vitest/config'

/** Two files at a time: most of a test is waiting for a server, and every part has ports and folders of its own. */
export default defineConfig({
  test: {
    include: ['test/real/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
})

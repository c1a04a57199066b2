import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/real/**', 'test/bench/**', 'test/torture/**'],
    testTimeout: 20_000,
    coverage: {
      provider: 'v8',
      include: ['src/**', 'inputs/**', 'outputs/**'],
      exclude: ['**/*.md'],
      thresholds: { lines: 90 },
    },
  },
})

import { inject, provide, useId, type ComputedRef, type InjectionKey } from 'vue'

interface FieldContext {
  id: string
  describedBy: ComputedRef<string | undefined>
  invalid: ComputedRef<boolean>
  required: ComputedRef<boolean>
}

const KEY: InjectionKey<FieldContext> = Symbol('field')

export function provideField(context: FieldContext): void {
  provide(KEY, context)
}

/** A control inside a Field takes its id, its error and its hint from there; alone it just has an id. */
export function useField(): Partial<FieldContext> & { id: string } {
  return inject(KEY, undefined) ?? { id: useId() }
}

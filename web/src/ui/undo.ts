import { t } from '@/app/i18n'
import { errorLine } from './describeError'
import { toast } from './toast'

interface Undoable {
  /** "Session ended" */
  text: string
  /** Shows it as done. */
  apply: () => void
  /** Shows it as before: after "Undo", and when the server refuses. */
  revert: () => void
  /** Does it, once the time to change one's mind is over. */
  commit: () => Promise<unknown>
}

/** Instead of "are you sure?": done at once for the eye, for real when the notice goes. */
export function undoable({ text, apply, revert, commit }: Undoable): void {
  apply()
  toast(text, {
    action: { label: t('ui.undo'), run: revert },
    onGone: async () => {
      try {
        await commit()
      } catch (error) {
        revert()
        toast(errorLine(error, t), { tone: 'danger' })
      }
    },
  })
}

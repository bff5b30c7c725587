/* SPDX-License-Identifier: ISC */
/* What the numbers of a quiet stream must satisfy; see numbers.h. */
#include "proto/numbers.h"

const char *
numbers_own_flaw(const struct msg_scan_tally *m)
{
	/* Nothing was ever stored, or all of it is gone. */
	if (m->messages == 0 && (m->last != 0 || m->first != 0))
		return m->first != m->last + 1
			   ? "is empty and does not begin behind its end"
			   : NULL;
	if (m->messages == 0)
		return NULL;
	if (m->first == 0 || m->last < m->first)
		return "counts messages and has no room for them";
	if (m->last - m->first + 1 != m->messages + m->deleted)
		return "counts messages and deleted ones that do not add up "
		       "to its sequences";
	return m->subjects == 0 || m->subjects > m->messages
		   ? "counts subjects that do not fit its messages"
		   : NULL;
}

const char *
numbers_flaw(const struct msg_scan_tally *m)
{
	const char *own = numbers_own_flaw(m);

	if (own != NULL)
		return own;
	if (m->messages != m->read)
		return m->messages > m->read
			   ? "counts more messages than there are"
			   : "counts fewer messages than there are";
	if (m->read > 0 && m->first != m->read_first)
		return "does not begin at its first message";
	if (m->last < m->read_last)
		return "ends before its last message";
	if (m->read > 0 && m->read_subjects != 0 &&
	    m->subjects != m->read_subjects)
		return "counts other subjects than there are";
	return m->bytes != m->read_bytes
		   ? "counts other bytes than its messages have"
		   : NULL;
}

/* Why fields have their fates, in words that the tables of fields share (request_fields.h).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_FIELD_REASONS_H
#define SERVER_API_FIELD_REASONS_H

/* Of fields that are dropped or refused: each ends the sentence "is not accepted: it ...". */
#define FIELD_TEMPLATE "changes how the prompt is rendered, and so where the reasoning begins"
#define FIELD_HIDES "changes whether and where the reasoning can be seen"
#define FIELD_NO_BUDGET "sets a budget of reasoning that leaves none to judge"
#define FIELD_PREFILLS "puts text into the model's own turn"
#define FIELD_FORCES "forces or forbids words of the model's text"
#define FIELD_TOKENS "passes text as tokens, which are not judged"
#define FIELD_RETURNS_TOKENS "returns text as tokens, which are not judged"
#define FIELD_RETURNS_PROMPT "returns the prompt"
#define FIELD_ELSEWHERE "sends the request to another model or service than its route says"
#define FIELD_FETCHES "adds text to the prompt that was not judged"
#define FIELD_CUTS_PROMPT "cuts the prompt after it was judged"
#define FIELD_MEDIA "asks for output that is not text"
#define FIELD_UNCHECKED "sets fields that are not checked"
#define FIELD_SAFETY "asks for a safety setting that this upstream does not promise"
#define FIELD_OPERATORS "belongs to the operator"

/* Of fields that pass: why this does not weaken the guard. */
#define FIELD_SAMPLES "the model's words are judged, however they are chosen"
#define FIELD_LIMITS "a limit of length or time; the text up to it is judged"
#define FIELD_NAMES "a name or note for the upstream; judged as text"
#define FIELD_TEXTS "text for the model, all of it judged"
#define FIELD_EXECUTES "how the upstream works, not what it says"
#define FIELD_FORMATS "the form of the answer, which is judged in any form"
#define FIELD_COUNTS "numbers about the answer"
#define FIELD_SPELLS "judged with the text that they spell, or removed"

#endif

/* The form of the JSON that the models make. Whoever keeps ready JSON over an upgrade (shared caches, browsers by their tags) has it in
 * the key, so that an older program's answer is not taken for a newer one's.
 *
 * Changed with every change of what a page of messages, a conversation or a person looks like: tests/unit/model/test_form.c knows how it
 * looks in this one. */
#ifndef MODEL_FORM_H
#define MODEL_FORM_H

#define MODEL_FORM "1"

#endif

#ifndef ROSTER_RULES_MESSAGES_H
#define ROSTER_RULES_MESSAGES_H

#include "base/text.h"

#define MESSAGE(name, text) static const char message_##name[] __attribute__((unused)) = text;
#include "rules/messages.def"
#undef MESSAGE

/** A message without %, as a text. */
#define MESSAGE_TEXT(name) ((struct text){ message_##name, sizeof message_##name - 1 })

#endif

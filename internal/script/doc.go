// Package script composes what a person hears in a verification call, and what
// they read in a text message.
//
// A [Script] is data, a list of parts: phrases, the brand, an amount, digits,
// silences, a gate, a menu. [Compose] makes the default one from a [Message];
// [ComposeText] one for an announcement. It renders to plain text for carriers
// with their own text-to-speech, to SSML, to TwiML and to JSON; a conversation
// on our own line walks over the parts instead.
//
// Three rules hold for every script: the warning comes before the code, the
// code is read digit by digit at least twice, and a pause stands before the
// first digit. [Lint] and [LintText] refuse what breaks them, and [ReadBack]
// listens to a rendering as a person would.
//
// What is said stands in one file a language under lang/: phrases, digit words,
// numbers and currencies with their plural and gender, and the wordings by which
// a warning is known. A tenant may replace phrases by a [Template]; [LintTemplate]
// composes with it and holds it to the same rules. [SMS] writes the text message,
// [Segments] counts what it costs.
//
// The package knows words, languages and paces. It must not know carriers,
// calls, sound, storage or who is being called. A script holds a code in clear:
// it masks itself when printed, logged or marshalled, and only the renderers
// reveal it.
package script

// The body of each request, in the vendors' own types.
import type { MessageCreateParams } from '@anthropic-ai/sdk/resources/messages';
import type { Content, GenerationConfig, SafetySetting, Tool, ToolConfig } from '@google/genai';
import type { ChatCompletionCreateParams } from 'openai/resources/chat/completions';
import type { ResponseCreateParams, ResponseInputItem } from 'openai/resources/responses/responses';

// A word in a body is not an enum of TypeScript.
type Wire<T> = T extends string ? `${T}`
	: T extends (infer U)[] ? Wire<U>[]
	: T extends object ? { [K in keyof T]: Wire<T[K]> }
	: T;

// Google's package describes its own calls; a request consists of these of its types.
interface GenerateContent {
	contents: Content[];
	systemInstruction?: Content;
	generationConfig?: GenerationConfig;
	safetySettings?: SafetySetting[];
	tools?: Tool[];
	toolConfig?: ToolConfig;
	cachedContent?: string;
}

// Content without parts, and parts without anything, are refused, though their types allow them.
type Part = Wire<NonNullable<Content['parts']>[number]> & ({ text: string } | { inlineData: object });
type Parts = [Part, ...Part[]];
type Spoken = { role: 'user' | 'model'; parts: Parts };

// The package has dropped two parameters that only older models take (lib/provider/fit.c).
export type Anthropic = MessageCreateParams & { temperature?: number; top_p?: number };
// The package's types let these be left out.
export type OpenAI = ResponseCreateParams & { model: string; input: ResponseInputItem[] };
export type OpenAICompatible = ChatCompletionCreateParams;
export type Google = Omit<Wire<GenerateContent>, 'contents' | 'systemInstruction'> & {
	contents: [Spoken, ...Spoken[]];
	systemInstruction?: { parts: Parts };
};

// A Host Compute Service of our own, for tests under Wine. It keeps the documented states of a system, refuses what the
// real one refuses (an operation used twice, a verb in the wrong state, a name that is taken), completes operations from
// threads of its own, tells of a system's end from such a thread, and has the test's program look at every document.
//
// FakeHcsWatch    what the test is told: check(root, document) and change(id, state), both on a thread of the service
// FakeHcsExit     ends a system as its guest or an accident would
// FakeHcsFail     the next call of a function fails with a code; late says whether only its operation does
// FakeHcsOpen     how many systems, operations and handles are open: what a test has leaked
#include <windows.h>
#include <stdlib.h>
#include <wchar.h>

#define API __declspec(dllexport)
#define NOT_FOUND ((HRESULT)0x8037010E)
#define EXISTS ((HRESULT)0x8037010F)
#define STOPPED ((HRESULT)0x80370110)
#define INVALID_STATE ((HRESULT)0x80370105)
#define INVALID_JSON ((HRESULT)0x8037010D)
#define NOT_STARTED ((HRESULT)0x80370115)
#define ALREADY_STARTED ((HRESULT)0x80370116)
#define TIMEOUT ((HRESULT)0x80370118)

enum { CREATED, RUNNING, PAUSED, ENDED };
static const WCHAR *names[] = {L"Created", L"Running", L"Paused", L"Stopped"};

typedef struct { DWORD type; PCWSTR data; void *op; } Event;
typedef void (CALLBACK *Callback)(Event *, void *);
typedef HRESULT (CALLBACK *Check)(PCWSTR root, PCWSTR document);
typedef void (CALLBACK *Change)(PCWSTR id, int state);

typedef struct System { WCHAR id[64]; int state; struct System *next; struct Handle *handles; } System;
typedef struct Handle { DWORD magic; System *system; Callback callback; void *context; struct Handle *next; } Handle;
typedef struct { DWORD magic; HANDLE done; BOOL used; HRESULT hr; WCHAR *text; HANDLE thread; } Operation;
typedef struct { Operation *op; HRESULT hr; WCHAR *text; } Completion;
typedef struct { Callback callback; void *context; WCHAR data[512]; } Telling;

static CRITICAL_SECTION lock;
static System *systems;
static Check check;
static Change change;
static WCHAR fail_name[64];
static HRESULT fail_code;
static BOOL fail_late;
static LONG operations, handles;

BOOL WINAPI DllMain(HINSTANCE h, DWORD why, void *p) {
	if (why == DLL_PROCESS_ATTACH) InitializeCriticalSection(&lock);
	return TRUE;
}

API void WINAPI FakeHcsWatch(Check c, Change s) { check = c; change = s; }

API void WINAPI FakeHcsFail(PCWSTR name, DWORD code, BOOL late) {
	EnterCriticalSection(&lock);
	wcsncpy(fail_name, name, 63);
	fail_code = (HRESULT)code;
	fail_late = late;
	LeaveCriticalSection(&lock);
}

// failing takes the failure that was asked for.
static HRESULT failing(PCWSTR name, BOOL late) {
	HRESULT hr = S_OK;
	EnterCriticalSection(&lock);
	if (fail_code && fail_late == late && !wcscmp(fail_name, name)) { hr = fail_code; fail_code = S_OK; }
	LeaveCriticalSection(&lock);
	return hr;
}

static WCHAR *copy(PCWSTR s) {
	if (!s) return NULL;
	size_t n = (wcslen(s) + 1) * sizeof(WCHAR);
	WCHAR *p = LocalAlloc(0, n);
	memcpy(p, s, n);
	return p;
}

// Operations.

API void *WINAPI HcsCreateOperation(void *context, void *callback) {
	Operation *o = calloc(1, sizeof *o);
	o->magic = 0x4f50;
	o->done = CreateEventW(NULL, TRUE, FALSE, NULL);
	InterlockedIncrement(&operations);
	return o;
}

API void WINAPI HcsCloseOperation(Operation *o) {
	if (o->thread) { WaitForSingleObject(o->thread, INFINITE); CloseHandle(o->thread); }
	if (o->text) LocalFree(o->text);
	CloseHandle(o->done);
	o->magic = 0;
	free(o);
	InterlockedDecrement(&operations);
}

static DWORD WINAPI complete(void *p) {
	Completion *c = p;
	Sleep(5);
	c->op->hr = c->hr;
	c->op->text = c->text;
	SetEvent(c->op->done);
	free(c);
	return 0;
}

// begin lets an operation complete a little later, from another thread.
static HRESULT begin(Operation *o, HRESULT hr, PCWSTR text) {
	if (!o || o->magic != 0x4f50) return E_HANDLE;
	if (o->used) return ALREADY_STARTED;
	o->used = TRUE;
	Completion *c = malloc(sizeof *c);
	c->op = o;
	c->hr = hr;
	c->text = copy(hr < 0 && !text ? L"{\"ErrorMessage\":\"the fake service refuses\"}" : text);
	o->thread = CreateThread(NULL, 0, complete, c, 0, NULL);
	return S_OK;
}

API HRESULT WINAPI HcsWaitForOperationResult(Operation *o, DWORD ms, PWSTR *result) {
	if (!o || o->magic != 0x4f50) return E_HANDLE;
	if (result) *result = NULL;
	if (!o->used) return NOT_STARTED;
	if (WaitForSingleObject(o->done, ms) != WAIT_OBJECT_0) return TIMEOUT;
	if (result) { *result = o->text; o->text = NULL; }
	return o->hr;
}

// Systems.

static System *find(PCWSTR id) {
	System *s = systems;
	while (s && _wcsicmp(s->id, id)) s = s->next;
	return s;
}

static Handle *handle(System *s) {
	Handle *h = calloc(1, sizeof *h);
	h->magic = 0x5359;
	h->system = s;
	h->next = s->handles;
	s->handles = h;
	InterlockedIncrement(&handles);
	return h;
}

API HRESULT WINAPI HcsCreateComputeSystem(PCWSTR id, PCWSTR document, Operation *op, const void *sd, Handle **out) {
	HRESULT hr = failing(L"HcsCreateComputeSystem", FALSE);
	if (hr) return hr;
	if (check && FAILED(check(L"ComputeSystem", document))) return begin(op, INVALID_JSON, NULL);
	if ((hr = failing(L"HcsCreateComputeSystem", TRUE))) return begin(op, hr, NULL);
	EnterCriticalSection(&lock);
	if (find(id)) {
		LeaveCriticalSection(&lock);
		return begin(op, EXISTS, NULL);
	}
	System *s = calloc(1, sizeof *s);
	wcsncpy(s->id, id, 63);
	s->next = systems;
	systems = s;
	*out = handle(s);
	LeaveCriticalSection(&lock);
	return begin(op, S_OK, NULL);
}

API HRESULT WINAPI HcsOpenComputeSystem(PCWSTR id, DWORD access, Handle **out) {
	EnterCriticalSection(&lock);
	System *s = find(id);
	HRESULT hr = s && s->state != ENDED ? S_OK : NOT_FOUND;
	if (!hr) *out = handle(s);
	LeaveCriticalSection(&lock);
	return hr;
}

// forget takes a system away that has ended and that nobody has open; under the lock.
static void forget(System *s) {
	if (s->handles || s->state != ENDED) return;
	System **p = &systems;
	while (*p != s) p = &(*p)->next;
	*p = s->next;
	free(s);
}

API void WINAPI HcsCloseComputeSystem(Handle *h) {
	if (!h || h->magic != 0x5359) return;
	EnterCriticalSection(&lock);
	Handle **p = &h->system->handles;
	while (*p != h) p = &(*p)->next;
	*p = h->next;
	forget(h->system);
	h->magic = 0;
	free(h);
	InterlockedDecrement(&handles);
	LeaveCriticalSection(&lock);
}

API HRESULT WINAPI HcsSetComputeSystemCallback(Handle *h, DWORD options, void *context, Callback callback) {
	if (!h || h->magic != 0x5359) return E_HANDLE;
	EnterCriticalSection(&lock);
	h->context = context;
	h->callback = callback;
	LeaveCriticalSection(&lock);
	return failing(L"HcsSetComputeSystemCallback", FALSE);
}

static DWORD WINAPI tell(void *p) {
	Telling *t = p;
	Event e = {1, t->data, NULL};
	Sleep(10);
	t->callback(&e, t->context);
	free(t);
	return 0;
}

// end ends a system; under the lock.
static void end(System *s, PCWSTR exit) {
	s->state = ENDED;
	for (Handle *h = s->handles; h; h = h->next) {
		if (!h->callback) continue;
		Telling *t = calloc(1, sizeof *t);
		t->callback = h->callback;
		t->context = h->context;
		wcsncpy(t->data, exit, 511);
		CloseHandle(CreateThread(NULL, 0, tell, t, 0, NULL));
	}
}

API BOOL WINAPI FakeHcsExit(PCWSTR id, PCWSTR exit) {
	EnterCriticalSection(&lock);
	System *s = find(id);
	BOOL is = s && s->state != ENDED;
	if (is) end(s, exit);
	LeaveCriticalSection(&lock);
	return is;
}

API void WINAPI FakeHcsOpen(LONG *s, LONG *o, LONG *h) {
	EnterCriticalSection(&lock);
	*s = 0;
	for (System *p = systems; p; p = p->next) ++*s;
	LeaveCriticalSection(&lock);
	*o = operations;
	*h = handles;
}

// turn changes the state, where it is one of two.
static HRESULT turn(Handle *h, Operation *op, PCWSTR name, int from, int or, int to) {
	if (!h || h->magic != 0x5359) return E_HANDLE;
	HRESULT hr = failing(name, FALSE);
	if (hr) return hr;
	if ((hr = failing(name, TRUE))) return begin(op, hr, NULL);
	WCHAR id[64];
	EnterCriticalSection(&lock);
	int state = h->system->state;
	wcscpy(id, h->system->id);
	if (state == from || state == or) {
		if (to == ENDED) end(h->system, L"{\"Status\":0,\"ExitType\":\"ForcedExit\"}");
		else h->system->state = to;
	} else hr = state == ENDED ? STOPPED : INVALID_STATE;
	LeaveCriticalSection(&lock);
	if (!hr && change) change(id, to);
	return begin(op, hr, NULL);
}

API HRESULT WINAPI HcsStartComputeSystem(Handle *h, Operation *op, PCWSTR o) { return turn(h, op, L"HcsStartComputeSystem", CREATED, CREATED, RUNNING); }
API HRESULT WINAPI HcsPauseComputeSystem(Handle *h, Operation *op, PCWSTR o) { return turn(h, op, L"HcsPauseComputeSystem", RUNNING, RUNNING, PAUSED); }
API HRESULT WINAPI HcsResumeComputeSystem(Handle *h, Operation *op, PCWSTR o) { return turn(h, op, L"HcsResumeComputeSystem", PAUSED, PAUSED, RUNNING); }

API HRESULT WINAPI HcsTerminateComputeSystem(Handle *h, Operation *op, PCWSTR o) {
	if (!h || h->magic != 0x5359) return E_HANDLE;
	int state = h->system->state;
	return turn(h, op, L"HcsTerminateComputeSystem", state == ENDED ? RUNNING : state, state == ENDED ? RUNNING : state, ENDED);
}

API HRESULT WINAPI HcsShutDownComputeSystem(Handle *h, Operation *op, PCWSTR options) {
	if (!h || h->magic != 0x5359) return E_HANDLE;
	if (options && check && FAILED(check(L"ShutdownOptions", options))) return begin(op, INVALID_JSON, NULL);
	HRESULT hr = begin(op, h->system->state == ENDED ? STOPPED : h->system->state == RUNNING ? S_OK : INVALID_STATE, NULL);
	return hr;
}

API HRESULT WINAPI HcsGetComputeSystemProperties(Handle *h, Operation *op, PCWSTR query) {
	if (!h || h->magic != 0x5359) return E_HANDLE;
	HRESULT hr = failing(L"HcsGetComputeSystemProperties", TRUE);
	if (hr) return begin(op, hr, NULL);
	WCHAR text[512];
	swprintf(text, 512, L"{\"Id\":\"%ls\",\"SystemType\":\"VirtualMachine\",\"Owner\":\"berth\",\"RuntimeId\":\"%ls\",\"State\":\"%ls\"}",
		h->system->id, h->system->id, names[h->system->state]);
	return begin(op, S_OK, text);
}

API HRESULT WINAPI HcsGetServiceProperties(PCWSTR query, PWSTR *result) {
	HRESULT hr = failing(L"HcsGetServiceProperties", FALSE);
	*result = hr ? NULL : copy(L"{\"Properties\":[{\"SupportedSchemaVersions\":[{\"Major\":2,\"Minor\":7}]}]}");
	return hr;
}

API HRESULT WINAPI HcsGrantVmAccess(PCWSTR id, PCWSTR path) {
	HRESULT hr = failing(L"HcsGrantVmAccess", FALSE);
	if (hr) return hr;
	return GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES ? HRESULT_FROM_WIN32(GetLastError()) : S_OK;
}

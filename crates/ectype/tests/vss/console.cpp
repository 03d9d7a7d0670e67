// A person at a terminal of Windows: runs a program in a pseudo console and types.
//
//   console.exe SCRIPT PROGRAM ARG...
//
// A line of SCRIPT is what has to be seen, a tab, and what is typed then: \r is the enter key, \c Ctrl-C. What the
// console showed goes to standard output; the exit status is the program's, or 99 where something did not come in time.

#define _WIN32_WINNT 0x0a00
#define NTDDI_VERSION 0x0a000006
#include <windows.h>

#include <cstdio>
#include <cstring>
#include <cwchar>
#include <string>
#include <vector>

namespace {

const DWORD PATIENCE = 120000;
const wchar_t INTERRUPT[] = L"ectype-interrupt";

std::string shown;
CRITICAL_SECTION gate;

DWORD WINAPI reading(void* from) {
    char part[4096];
    DWORD count;
    while (ReadFile(from, part, sizeof part, &count, nullptr) && count) {
        EnterCriticalSection(&gate);
        shown.append(part, count);
        LeaveCriticalSection(&gate);
    }
    return 0;
}

// What is shown without the escape sequences that a console draws with.
std::string words() {
    EnterCriticalSection(&gate);
    std::string all = shown;
    LeaveCriticalSection(&gate);
    std::string plain;
    for (size_t i = 0; i < all.size(); ++i) {
        if (all[i] != '\x1b') {
            plain.push_back(all[i]);
        } else if (i + 1 < all.size() && all[i + 1] == '[') {
            for (i += 2; i < all.size() && !(all[i] >= '@' && all[i] <= '~'); ++i) {}
        } else if (i + 1 < all.size() && all[i + 1] == ']') {
            for (i += 2; i < all.size() && all[i] != '\a'; ++i) {}
        }
    }
    return plain;
}

HANDLE interrupt;

std::string typed(const std::string& text) {
    std::string keys;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) keys.push_back(text[i]);
        else if (text[++i] == 'r') keys.push_back('\r');
        else if (text[i] == 'c') SetEvent(interrupt);
    }
    return keys;
}

// The command line behind so many arguments.
const wchar_t* rest(int skip) {
    const wchar_t* at = GetCommandLineW();
    for (; skip; --skip) {
        bool quoted = false;
        for (; *at && (quoted || *at != L' '); ++at)
            if (*at == L'"') quoted = !quoted;
        while (*at == L' ') ++at;
    }
    return at;
}

// Wine gives no standard handles to the first program in a pseudo console, so that is this one, which opens them for the next.
int within() {
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
    auto opened = [&](const wchar_t* name) {
        return CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0,
                           nullptr);
    };
    STARTUPINFOW start = {};
    start.cb = sizeof start;
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = opened(L"CONIN$");
    start.hStdOutput = start.hStdError = opened(L"CONOUT$");
    std::wstring line = rest(2);
    PROCESS_INFORMATION process;
    if (!CreateProcessW(nullptr, &line[0], nullptr, nullptr, TRUE, 0, nullptr, nullptr, &start, &process)) return 94;
    // Ctrl-C is for the program. As a key Wine's console of version 8 does not survive it: it is asked for here.
    SetConsoleCtrlHandler([](DWORD) -> BOOL { return TRUE; }, TRUE);
    HANDLE waited[2] = {process.hProcess, CreateEventW(nullptr, FALSE, FALSE, INTERRUPT)};
    while (WaitForMultipleObjects(2, waited, FALSE, INFINITE) == WAIT_OBJECT_0 + 1) GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
    DWORD code = 93;
    GetExitCodeProcess(process.hProcess, &code);
    return (int)code;
}

}  // namespace

int main(int, char** args) {
    if (strcmp(args[1], "--within") == 0) return within();
    InitializeCriticalSection(&gate);
    interrupt = CreateEventW(nullptr, FALSE, FALSE, INTERRUPT);
    HANDLE keys_from, keys_to, shown_from, shown_to;
    if (!CreatePipe(&keys_from, &keys_to, nullptr, 0) || !CreatePipe(&shown_from, &shown_to, nullptr, 0)) return 98;
    HPCON console;
    if (FAILED(CreatePseudoConsole(COORD{400, 60}, keys_from, shown_to, 0, &console))) return 97;
    CloseHandle(keys_from);
    CloseHandle(shown_to);
    SIZE_T len = 0;
    InitializeProcThreadAttributeList(nullptr, 1, 0, &len);
    std::vector<char> room(len);
    STARTUPINFOEXW start = {};
    start.StartupInfo.cb = sizeof start;
    // No handles of ours.
    start.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    start.lpAttributeList = (LPPROC_THREAD_ATTRIBUTE_LIST)room.data();
    if (!InitializeProcThreadAttributeList(start.lpAttributeList, 1, 0, &len) ||
        !UpdateProcThreadAttribute(start.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE, console, sizeof console, nullptr,
                                   nullptr))
        return 96;
    wchar_t own[4096];
    GetModuleFileNameW(nullptr, own, 4096);
    std::wstring line = L"\"" + std::wstring(own) + L"\" --within " + rest(2);
    PROCESS_INFORMATION process;
    if (!CreateProcessW(nullptr, &line[0], nullptr, nullptr, FALSE, EXTENDED_STARTUPINFO_PRESENT, nullptr, nullptr,
                        &start.StartupInfo, &process))
        return 95;
    CreateThread(nullptr, 0, reading, shown_from, 0, nullptr);
    DWORD until = GetTickCount() + PATIENCE, code = 99;
    size_t seen = 0;
    bool late = false;
    FILE* script = fopen(args[1], "rb");
    char row[1024];
    while (script && !late && fgets(row, sizeof row, script)) {
        std::string text(row);
        while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
        size_t tab = text.find('\t');
        std::string wanted = text.substr(0, tab), keys = tab == std::string::npos ? "" : text.substr(tab + 1);
        for (;;) {
            size_t at = words().find(wanted, seen);
            if (at != std::string::npos) {
                seen = at + wanted.size();
                break;
            }
            late = (int)(until - GetTickCount()) <= 0 || WaitForSingleObject(process.hProcess, 20) == WAIT_OBJECT_0;
            if (late) break;
        }
        if (late) break;
        DWORD count;
        keys = typed(keys);
        if (!keys.empty()) WriteFile(keys_to, keys.data(), (DWORD)keys.size(), &count, nullptr);
    }
    int left = (int)(until - GetTickCount());
    if (WaitForSingleObject(process.hProcess, left > 0 ? left : 0) == WAIT_OBJECT_0)
        GetExitCodeProcess(process.hProcess, &code);
    else
        TerminateProcess(process.hProcess, 99);
    // The last of what was shown takes its way.
    Sleep(300);
    std::string all = words();
    fwrite(all.data(), 1, all.size(), stdout);
    fflush(stdout);
    TerminateProcess(GetCurrentProcess(), late && code == 0 ? 99 : code);
}

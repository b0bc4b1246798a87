/* A PKCS#11 library for tests: hands every call to SoftHSM, and misbehaves on command. In C because this crate forbids
 * unsafe code, which a library of this kind cannot do without. The tests compile it with cc.
 *
 * Commands are files in the folder that YINXIN_SHIM names:
 *   hang-FUNCTION   the call does not return while the file is there
 *   fail-FUNCTION   the call gives the return value in the file, hexadecimal, and does nothing
 *   away            the token is taken out: its sessions end, its slot is empty
 *   slots           the number in the file is added to every slot's number
 *   flags           CK_TOKEN_INFO.flags that are set beside the token's own, hexadecimal
 *   lie             one bit of each signature is turned
 *   count-FUNCTION  a byte is added to the file with every call
 *
 * The types are those of PKCS #11 v2.40 on a system where everything is CK_ULONG or a pointer and nothing is packed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ul;
typedef ul (*any)();

struct list {
    unsigned char version[2];
    any f[68];
};

/* Places in the function list (v2.40 §3.6). */
enum {
    INITIALIZE = 0, FINALIZE = 1, GET_SLOT_LIST = 4, GET_SLOT_INFO = 5, GET_TOKEN_INFO = 6, OPEN_SESSION = 12,
    CLOSE_ALL_SESSIONS = 14, GET_SESSION_INFO = 15, LOGIN = 18, GET_ATTRIBUTE_VALUE = 24, FIND_OBJECTS_INIT = 26,
    SIGN_INIT = 42, SIGN = 43, GENERATE_KEY_PAIR = 59
};

enum { SLOT_ID_INVALID = 0x3, SESSION_HANDLE_INVALID = 0xb3, TOKEN_NOT_PRESENT = 0xe0 };

static struct list *real;
static struct list ours;

static const char *path(const char *command, const char *function) {
    static _Thread_local char text[4096];
    const char *folder = getenv("YINXIN_SHIM");
    snprintf(text, sizeof text, "%s/%s%s", folder ? folder : "/nonexistent", command, function);
    return text;
}

static int told(const char *command) { return access(path(command, ""), F_OK) == 0; }

/* The number in a command's file, or 0. */
static ul number(const char *at, const char *form) {
    ul value = 0;
    FILE *file = fopen(at, "r");
    if (file) {
        if (fscanf(file, form, &value) != 1) value = 0;
        fclose(file);
    }
    return value;
}

/* Counts, hangs and fails as told. */
static ul first(const char *function) {
    int count = open(path("count-", function), O_WRONLY | O_APPEND);
    if (count >= 0) {
        if (write(count, ".", 1) != 1) abort();
        close(count);
    }
    while (access(path("hang-", function), F_OK) == 0) usleep(2000);
    return number(path("fail-", function), "%lx");
}

#define AS_TOLD(name)                    \
    do {                                 \
        ul rv = first(name);             \
        if (rv) return rv;               \
    } while (0)

static ul shift(void) { return number(path("slots", ""), "%lu"); }

/* Whether the token is out. What it held of sessions ends when it is taken. */
static int away(void) {
    static int was;
    int is = told("away");
    if (is && !was) {
        ul slots[64], count = 64;
        if (!real->f[GET_SLOT_LIST](1, slots, &count))
            for (ul i = 0; i < count; i++) real->f[CLOSE_ALL_SESSIONS](slots[i]);
    }
    was = is;
    return is;
}

static ul initialize(void *a) { AS_TOLD("C_Initialize"); return real->f[INITIALIZE](a); }
static ul finalize(void *a) { AS_TOLD("C_Finalize"); return real->f[FINALIZE](a); }

static ul get_slot_list(unsigned char with_token, ul *slots, ul *count) {
    AS_TOLD("C_GetSlotList");
    if (away()) { *count = 0; return 0; }
    ul rv = real->f[GET_SLOT_LIST](with_token, slots, count);
    if (!rv && slots) for (ul i = 0; i < *count; i++) slots[i] += shift();
    return rv;
}

#define OF_SLOT(name)                                    \
    do {                                                 \
        AS_TOLD(name);                                   \
        if (away()) return TOKEN_NOT_PRESENT;            \
        if (slot < shift()) return SLOT_ID_INVALID;      \
        slot -= shift();                                 \
    } while (0)

static ul get_slot_info(ul slot, void *a) { OF_SLOT("C_GetSlotInfo"); return real->f[GET_SLOT_INFO](slot, a); }
static ul get_token_info(ul slot, unsigned char *a) {
    OF_SLOT("C_GetTokenInfo");
    ul rv = real->f[GET_TOKEN_INFO](slot, a);
    /* After label (32), manufacturer (32), model (16) and serial number (16). */
    if (!rv) *(ul *)(a + 96) |= number(path("flags", ""), "%lx");
    return rv;
}
static ul open_session(ul slot, ul flags, void *a, void *b, ul *session) {
    OF_SLOT("C_OpenSession");
    return real->f[OPEN_SESSION](slot, flags, a, b, session);
}

#define OF_SESSION(name)                                 \
    do {                                                 \
        AS_TOLD(name);                                   \
        if (away()) return SESSION_HANDLE_INVALID;       \
    } while (0)

static ul get_session_info(ul s, void *a) { OF_SESSION("C_GetSessionInfo"); return real->f[GET_SESSION_INFO](s, a); }
static ul login(ul s, ul who, void *pin, ul size) { OF_SESSION("C_Login"); return real->f[LOGIN](s, who, pin, size); }
static ul find_objects_init(ul s, void *a, ul n) { OF_SESSION("C_FindObjectsInit"); return real->f[FIND_OBJECTS_INIT](s, a, n); }
static ul get_attribute_value(ul s, ul o, void *a, ul n) {
    OF_SESSION("C_GetAttributeValue");
    return real->f[GET_ATTRIBUTE_VALUE](s, o, a, n);
}
static ul sign_init(ul s, void *m, ul key) { OF_SESSION("C_SignInit"); return real->f[SIGN_INIT](s, m, key); }
static ul sign(ul s, void *data, ul size, unsigned char *value, ul *length) {
    OF_SESSION("C_Sign");
    ul rv = real->f[SIGN](s, data, size, value, length);
    if (!rv && value && told("lie")) value[*length / 2] ^= 1;
    return rv;
}
static ul generate_key_pair(ul s, void *m, void *a, ul n, void *b, ul o, ul *x, ul *y) {
    OF_SESSION("C_GenerateKeyPair");
    return real->f[GENERATE_KEY_PAIR](s, m, a, n, b, o, x, y);
}

ul C_GetFunctionList(struct list **list) {
    if (!real) {
        void *library = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL);
        ul (*get)(struct list **) = library ? (ul (*)(struct list **))dlsym(library, "C_GetFunctionList") : 0;
        if (!get || get(&real)) return 5;
        ours = *real;
        ours.f[INITIALIZE] = (any)initialize;
        ours.f[FINALIZE] = (any)finalize;
        ours.f[GET_SLOT_LIST] = (any)get_slot_list;
        ours.f[GET_SLOT_INFO] = (any)get_slot_info;
        ours.f[GET_TOKEN_INFO] = (any)get_token_info;
        ours.f[OPEN_SESSION] = (any)open_session;
        ours.f[GET_SESSION_INFO] = (any)get_session_info;
        ours.f[LOGIN] = (any)login;
        ours.f[FIND_OBJECTS_INIT] = (any)find_objects_init;
        ours.f[GET_ATTRIBUTE_VALUE] = (any)get_attribute_value;
        ours.f[SIGN_INIT] = (any)sign_init;
        ours.f[SIGN] = (any)sign;
        ours.f[GENERATE_KEY_PAIR] = (any)generate_key_pair;
    }
    *list = &ours;
    return 0;
}

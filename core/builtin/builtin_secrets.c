/* Built-in rules of secrets: the keys of each provider, passwords in connection strings, and all of them at once.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The shapes are facts that the providers publish, or show to everyone who makes a key; the expressions are our own. */
#include "builtin/builtin_secrets.h"

#include "builtin/builtin_parts.h"

/* ---- the expressions --------------------------------------------------------------------------------------------- */

#define ANTHROPIC "sk-ant-[a-z]{3,5}\\d\\d-[A-Za-z0-9_-]{80,}"
#define AWS                                                                                                            \
    "(?:A(?:KI|SI|BI|CC)A[A-Z2-7]{16}|(?i:aws_?secret_?(?:access_?)?key)"                                              \
    "[^A-Za-z0-9/+\\n]{1,10}[A-Za-z0-9/+]{40})"
#define AZURE "(?:AccountKey=[A-Za-z0-9+/]{86}==|SharedAccessKey=[A-Za-z0-9+/]{43}=)"
#define DATABRICKS "\\bdapi[a-f0-9]{32}(?:-\\d)?"
#define DIGITALOCEAN "do[opr]_v1_[a-f0-9]{64}"
#define DISCORD                                                                                                        \
    "(?:\\b[MNO][A-Za-z0-9_-]{23,27}\\.[A-Za-z0-9_-]{6}\\.[A-Za-z0-9_-]{27,38}"                                        \
    "|discord(?:app)?\\.com/api/webhooks/\\d{17,20}/[A-Za-z0-9_-]{60,})"
#define DOCKER "dckr_[po]at_[A-Za-z0-9_-]{27,}"
#define GITHUB "(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})"
#define GITLAB "gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas)-[A-Za-z0-9_-]{20,}"
#define GOOGLE "(?:AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28})"
#define GROQ "gsk_[A-Za-z0-9]{40,}"
#define HUGGINGFACE "(?:hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{34})"
#define NPM "npm_[A-Za-z0-9]{36}"
#define OPENAI "sk-(?:(?:proj|svcacct|admin|or-v1)-)?[A-Za-z0-9_-]{20,}"
#define PYPI "pypi-[A-Za-z0-9_-]{50,}"
#define SENDGRID "SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}"
#define SHOPIFY "shp(?:at|ca|pa|ss|ua)_[a-fA-F0-9]{32}"
#define SLACK                                                                                                          \
    "(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\\d-[A-Z0-9]{8,16}-\\d{8,16}-[a-f0-9]{64}"                                 \
    "|hooks\\.slack\\.com/services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24})"
#define STRIPE "(?:[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{32,})"
#define TELEGRAM "\\d{8,10}:AA[A-Za-z0-9_-]{33}"
#define TWILIO                                                                                                         \
    "(?:\\bSK[0-9a-f]{32}\\b|(?i:twilio_?auth_?token)[^A-Za-z0-9\\n]{1,10}[0-9a-f]{32}"                                \
    "\\b)"
#define VAULT "\\bhv[sbr]\\.[A-Za-z0-9_-]{24,}"
/* What may be a password in a URL, and in a list of settings. */
#define IN_URL "[^\\s/?#\"'<>]"
#define IN_LIST "[^\\s;\"']"
#define SCHEMES                                                                                                        \
    "(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|cockroachdb|clickhouse|"           \
    "couchbases?|neo4j|bolt|ldaps?|smtps?|imaps?|ftps?|sftp|mqtts?|nats|https?)(?:\\+[a-z0-9]{1,12})?"
#define CONNECTION                                                                                                     \
    "(?:" SCHEMES "://[^\\s:/?#@\"'<>]*:" IN_URL "+@[A-Za-z0-9_\\[][A-Za-z0-9._:\\]-]*"                                \
    "|;\\s?(?i:password|pwd)=" IN_LIST "+|(?i:password|pwd)=" IN_LIST "+;)"

/* ---- checks ------------------------------------------------------------------------------------------------------ */

bool secret_is_random(struct span match)
{
    size_t run = 0;
    bool digit = false, upper = false;
    for (size_t i = 3; i < match.len; i++) {
        char c = match.data[i];
        bool goes_on = part_is_letter(c) || part_is_digit(c);
        run = goes_on ? run + 1 : 0;
        digit = goes_on && (digit || part_is_digit(c));
        upper = goes_on && (upper || (c >= 'A' && c <= 'Z'));
        if (run >= 16 && digit && upper)
            return true;
    }
    return false;
}

static unsigned base64_value(char c)
{
    if (part_is_digit(c))
        return (unsigned)(c - '0') + 52;
    if (part_is_letter(c))
        return c >= 'a' ? (unsigned)(c - 'a') + 26 : (unsigned)(c - 'A');
    return c == '-' ? 62 : 63;
}

/* The first part of a bot's token is its number, in base64. */
static bool is_discord_token(struct span match)
{
    unsigned bits = 0, held = 0;
    for (size_t i = 0; match.data[i] != '.'; i++) {
        held = (held << 6 | base64_value(match.data[i])) & 0xFFFF;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        if (!part_is_digit((char)(held >> bits & 0xFF)))
            return false;
    }
    return true;
}

/* What stands for a password in examples and templates. */
static bool is_placeholder(struct span password)
{
    char first = password.len > 0 ? password.data[0] : '\0',
         last = password.len > 0 ? password.data[password.len - 1] : '\0';
    return first == '$' || first == '{' || first == '*' || first == '<' ||
           (first == '%' && (last == '%' || last == 's')) || (first == '[' && last == ']');
}

/* A URL with a user and a password, or `password=...` before or after a semicolon. */
static bool has_password(struct span match)
{
    const char *data = match.data, *end = data + match.len, *slashes = memchr(data, '/', match.len);
    bool is_url = slashes != NULL && slashes > data && slashes[-1] == ':' && data[0] != ';';
    const char *from = is_url ? memchr(slashes + 2, ':', (size_t)(end - slashes - 2)) : memchr(data, '=', match.len);
    const char *to = end - (!is_url && data[0] != ';');
    for (const char *at = from; is_url && at != NULL && at < end; at++)
        to = *at == '@' ? at : to;
    if (from == NULL)
        return false;
    from++;
    return !is_placeholder((struct span){from, (size_t)(to - from)});
}

/* Names in small letters and dashes, as style sheets have them, have no digit and no capital. */
static bool is_no_name(struct span match)
{
    for (size_t i = 0; i < match.len; i++)
        if (part_is_digit(match.data[i]) || (match.data[i] >= 'A' && match.data[i] <= 'Z'))
            return true;
    return false;
}

static bool begins_with(struct span match, const char *text)
{
    size_t len = strlen(text);
    return match.len >= len && memcmp(match.data, text, len) == 0;
}

/* For each secret, known by how it begins: alone, or among all of them. */
static enum builtin_result check_secret(struct span match, struct surroundings around)
{
    char first = match.data[0];
    if (begins_with(match, "sk-"))
        return part_yes_if(part_is_letter(part_before(around, 1)) ? secret_is_random(match) : is_no_name(match));
    if (begins_with(match, "-----"))
        return BUILTIN_YES;
    if (part_is_digit(first))
        return part_yes_if(part_stands_alone(around));
    if (first == 'M' || first == 'N' || first == 'O')
        return part_yes_if(is_discord_token(match));
    bool is_password = first == ';' || begins_with(match, "pwd=") || part_upper(first) == 'P';
    if (is_password && memchr(match.data, '=', match.len) != NULL &&
        memchr(match.data, ':', match.len < 16 ? match.len : 16) == NULL)
        return part_yes_if(has_password(match));
    const char *colon = memchr(match.data, ':', match.len < 32 ? match.len : 32);
    bool is_url = colon != NULL && (size_t)(colon - match.data) + 2 < match.len && colon[1] == '/' && colon[2] == '/';
    return part_yes_if(!is_url || has_password(match));
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

const char *const secret_jwts[] = {"eyJ%w{17}.eyJ%w{30}.%u{43}", "eyJ%u{40}.eyJ%u{120}.%u{86}", NULL};
const char *const secret_no_jwts[] = {"eyJ%w{17}.%w{30}.%u{43}", "eyJ%w{17}.eyJ%w{30}", NULL};
const char *const secret_pems[] = {
    "-----BEGIN PRIVATE KEY-----\n%b{64}\n%b{64}\n%b{30}==\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\\n%b{64}\\n%b{20}\\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n%b{64}\n-----END EC PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n%b{70}\n%b{70}",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    NULL};
const char *const secret_no_pems[] = {"-----BEGIN PUBLIC KEY-----\n%b{64}\n-----END PUBLIC KEY-----",
                                      "-----BEGIN CERTIFICATE-----\n%b{64}", "BEGIN PRIVATE KEY", NULL};
static const char *const of_anthropic_key[] = {"sk-ant-api03-%u{93}AA", "sk-ant-admin01-%u{95}", "sk-ant-oat01-%u{95}",
                                               NULL};
static const char *const not_anthropic_key[] = {"sk-ant-api03-%u{5}", "sk-ant-%a{8}", NULL};
static const char *const of_aws_key[] = {"AKIA%2{16}",
                                         "ASIA%2{16}",
                                         "aws_secret_access_key = %b{40}",
                                         "\"" SAMPLE_FROM "AWSSecretKey\": \"%b{40}" SAMPLE_TO "\"",
                                         "AWS_SECRET_ACCESS_KEY=%b{40}",
                                         NULL};
static const char *const not_aws_key[] = {"AKIA%2{12}", "XKIA%2{16}", "AKIA%a{16}", "aws_secret_access_key = %b{20}",
                                          NULL};
static const char *const of_azure_storage_key[] = {"AccountKey=%b{86}==", "SharedAccessKey=%b{43}=", NULL};
static const char *const not_azure_storage_key[] = {"AccountKey=%b{40}==", "Account=%b{86}==", NULL};
static const char *const of_databricks_token[] = {"dapi%x{32}", "dapi%x{32}-2", NULL};
static const char *const not_databricks_token[] = {"dapi%x{20}", "xdapi%x{32}", NULL};
static const char *const of_digitalocean_token[] = {"dop_v1_%x{64}", "doo_v1_%x{64}", "dor_v1_%x{64}", NULL};
static const char *const not_digitalocean_token[] = {"dop_v1_%x{40}", "dox_v1_%x{64}", NULL};
static const char *const of_discord_token[] = {
    "MTIzNDU2Nzg5MDEyMzQ1Njc4.%u{6}.%u{38}", "NzEyMzQ1Njc4OTAxMjM0NTY3.%u{6}.%u{27}",
    "discord.com/api/webhooks/%1%d{17}/%u{68}", "discordapp.com/api/webhooks/%1%d{17}/%u{68}", NULL};
static const char *const not_discord_token[] = {"M%a{23}.%u{6}.%u{27}", "discord.com/api/webhooks/%1%d{17}", NULL};
static const char *const of_docker_token[] = {"dckr_pat_%u{27}", "dckr_oat_%u{32}", NULL};
static const char *const not_docker_token[] = {"dckr_pat_%u{12}", NULL};
static const char *const of_github_token[] = {
    "ghp_%w{36}", "gho_%w{36}", "ghu_%w{36}", "ghs_%w{36}", "ghr_%w{76}", "github_pat_%w{22}_%w{59}", NULL};
static const char *const not_github_token[] = {"ghp_%w{20}", "ghx_%w{36}", "github_pat_%w{22}", NULL};
static const char *const of_gitlab_token[] = {"glpat-%u{20}", "glrt-%u{20}",  "gldt-%u{20}",
                                              "glptt-%x{40}", "gloas-%x{64}", NULL};
static const char *const not_gitlab_token[] = {"glpat-%u{12}", "glxx-%u{20}", NULL};
static const char *const of_google_api_key[] = {"AIza%u{35}", "GOCSPX-%u{28}", NULL};
static const char *const not_google_api_key[] = {"AIza%u{20}", "GOCSPX-%u{10}", NULL};
static const char *const of_groq_key[] = {"gsk_%w{52}", NULL};
static const char *const not_groq_key[] = {"gsk_%w{20}", NULL};
static const char *const of_huggingface_token[] = {"hf_%w{34}", "api_org_%w{34}", NULL};
static const char *const not_huggingface_token[] = {"hf_%w{16}", "api_org_%w{10}", NULL};
static const char *const of_npm_token[] = {"npm_%w{36}", NULL};
static const char *const not_npm_token[] = {"npm_%w{20}", "npm_config_%a{20}", NULL};
static const char *const of_openai_key[] = {"sk-%w{20}T3BlbkFJ%w{20}",
                                            "sk-proj-%u{74}T3BlbkFJ%u{74}",
                                            "sk-svcacct-%u{74}",
                                            "sk-or-v1-%x{64}",
                                            "sk-%x{32}",
                                            NULL};
static const char *const not_openai_key[] = {"sk-%a{10}", "task-%a{24}", "risk-%a{12}-%a{12}", "sk-%a{8}-%a{8}-%a{8}",
                                             NULL};
static const char *const of_pypi_token[] = {"pypi-AgEIcHlwaS5vcmc%u{90}", "pypi-AgENdGVzdC5weXBpLm9yZw%u{90}", NULL};
static const char *const not_pypi_token[] = {"pypi-%a{8}", "pypi-AgEIcHlwaS5vcmc", NULL};
static const char *const of_sendgrid_key[] = {"SG.%u{22}.%u{43}", NULL};
static const char *const not_sendgrid_key[] = {"SG.%u{22}.%u{12}", "SG.%u{12}.%u{43}", NULL};
static const char *const of_shopify_token[] = {"shpat_%x{32}", "shpss_%x{32}", "shpca_%X{32}", "shppa_%x{32}", NULL};
static const char *const not_shopify_token[] = {"shpat_%x{20}", "shpxx_%x{32}", NULL};
static const char *const of_slack_token[] = {"xoxb-%d{12}-%d{12}-%w{24}", "xoxp-%d{11}-%d{11}-%d{12}-%x{32}",
                                             "xapp-1-A%2{10}-%d{13}-%x{64}",
                                             "hooks.slack.com/services/T%2{8}/B%2{10}/%w{24}", NULL};
static const char *const not_slack_token[] = {"xoxb-%d{4}", "xoxz-%d{12}-%w{24}", "hooks.slack.com/services/T%2{8}",
                                              NULL};
static const char *const of_stripe_key[] = {"sk_live_%w{24}", "sk_test_%w{99}", "rk_live_%w{24}", "whsec_%w{32}", NULL};
static const char *const not_stripe_key[] = {"pk_live_%w{24}", "sk_live_%w{8}", "whsec_%w{12}", NULL};
static const char *const of_telegram_token[] = {"%1%d{8}:AA%u{33}", "%1%d{9}:AA%u{33}", NULL};
static const char *const not_telegram_token[] = {"%1%d{8}:AB%u{33}", "%1%d{4}:AA%u{33}", "%1%d{8}:AA%u{20}", NULL};
static const char *const of_twilio_key[] = {"SK%x{32}", "TWILIO_AUTH_TOKEN=%x{32}",
                                            "\"" SAMPLE_FROM "twilioAuthToken\": \"%x{32}" SAMPLE_TO "\"", NULL};
static const char *const not_twilio_key[] = {"SK%x{20}", "SK%X{31}G", "ASK%x{32}", "TWILIO_AUTH_TOKEN=%x{12}", NULL};
static const char *const of_vault_token[] = {"hvs.%u{24}", "hvb.%u{138}", "hvr.%u{24}", NULL};
static const char *const not_vault_token[] = {"hvs.%u{10}", "hvx.%u{24}", NULL};
static const char *const of_connection_string[] = {"postgres://%a{6}:%w{12}@db.%a{5}.internal:5432" SAMPLE_TO "/app",
                                                   "mysql://admin:%w{8}@localhost" SAMPLE_TO "/%a{4}",
                                                   "mongodb+srv://%a{5}:%w{16}@%a{6}.mongodb.net",
                                                   "redis://:%w{20}@10.0.0.%1:6379",
                                                   "amqp://%a{4}:%w{6}!%w{3}@mq" SAMPLE_TO "/vhost",
                                                   "https://%a{5}:%w{10}@%a{6}.example.org" SAMPLE_TO "/x",
                                                   "Server=db;Database=%a{4};User Id=sa;\001;Password=%w{12}\002",
                                                   "\001Password=%w{9};\002Server=db",
                                                   NULL};
static const char *const not_connection_string[] = {
    "postgres://%a{6}@localhost/app",     "https://%a{6}.org:8080/%a{4}@%a{3}",
    "postgres://user:${PASSWORD}@db/app", "mysql://user:<password>@db",
    "Server=db;Password=${DB_PASSWORD}",  "postgres://user:***@db",
    "see ; password policy = strict",     NULL};

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

static const char *const all_secrets[] = {"anthropic_key",      "aws_key",
                                          "azure_storage_key",  "databricks_token",
                                          "digitalocean_token", "discord_token",
                                          "docker_token",       "github_token",
                                          "gitlab_token",       "google_api_key",
                                          "groq_key",           "huggingface_token",
                                          "npm_token",          "openai_key",
                                          "pypi_token",         "sendgrid_key",
                                          "shopify_token",      "slack_token",
                                          "stripe_key",         "telegram_token",
                                          "twilio_key",         "vault_token",
                                          "connection_string",  "jwt",
                                          "private_key",        NULL};

#define SECRET(row_name, what, expression, longest)                                                                    \
    {                                                                                                                  \
        .name = #row_name, .finds = what, .regex = expression, .check = check_secret, .max_bytes = longest,            \
        .raw_only = true, .samples = {                                                                                 \
            .right = of_##row_name,                                                                                    \
            .near_right = not_##row_name                                                                               \
        }                                                                                                              \
    }

const struct builtin builtins_of_secrets[] = {
    {.name = "secrets",
     .finds = "all secrets below, and jwt and private_key",
     .regex = "(?:" ANTHROPIC "|" AWS "|" AZURE "|" DATABRICKS "|" DIGITALOCEAN "|" DISCORD "|" DOCKER "|" GITHUB
              "|" GITLAB "|" GOOGLE "|" GROQ "|" HUGGINGFACE "|" NPM "|" OPENAI "|" PYPI "|" SENDGRID "|" SHOPIFY
              "|" SLACK "|" STRIPE "|" TELEGRAM "|" TWILIO "|" VAULT "|" CONNECTION "|" SECRET_JWT "|" SECRET_PEM ")",
     .check = check_secret,
     .max_bytes = 4096,
     .raw_only = true,
     .members = all_secrets},
    SECRET(anthropic_key, "Anthropic API and admin keys", ANTHROPIC, 512),
    SECRET(aws_key, "AWS access key ids, and secret keys behind their name", AWS, 512),
    SECRET(azure_storage_key, "Azure account and shared access keys in connection strings", AZURE, 512),
    SECRET(databricks_token, "Databricks tokens", DATABRICKS, 512),
    SECRET(digitalocean_token, "DigitalOcean tokens", DIGITALOCEAN, 512),
    SECRET(discord_token, "Discord bot tokens and webhooks", DISCORD, 512),
    SECRET(docker_token, "Docker Hub tokens", DOCKER, 512),
    SECRET(github_token, "GitHub tokens", GITHUB, 512),
    SECRET(gitlab_token, "GitLab tokens", GITLAB, 512),
    SECRET(google_api_key, "Google API keys and OAuth client secrets", GOOGLE, 512),
    SECRET(groq_key, "Groq keys", GROQ, 512),
    SECRET(huggingface_token, "Hugging Face tokens", HUGGINGFACE, 512),
    SECRET(npm_token, "npm tokens", NPM, 512),
    SECRET(openai_key, "OpenAI keys (also of services with keys in the same form)", OPENAI, 512),
    SECRET(pypi_token, "PyPI tokens", PYPI, 512),
    SECRET(sendgrid_key, "SendGrid keys", SENDGRID, 512),
    SECRET(shopify_token, "Shopify tokens", SHOPIFY, 512),
    SECRET(slack_token, "Slack tokens and webhooks", SLACK, 512),
    SECRET(stripe_key, "Stripe keys and webhook secrets", STRIPE, 512),
    SECRET(telegram_token, "Telegram bot tokens", TELEGRAM, 512),
    SECRET(twilio_key, "Twilio API keys, and auth tokens behind their name", TWILIO, 512),
    SECRET(vault_token, "HashiCorp Vault tokens", VAULT, 512),
    SECRET(connection_string, "passwords in URLs and in connection strings", CONNECTION, 512),
    {.name = NULL},
};
